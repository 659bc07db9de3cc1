"""The tokenizer of an exported folder, in the files of microsoft/phi-1_5."""

import json
import shutil
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, write_json, write_text
from hornbook.errors import ArtifactError

_OURS = "meta.json"
# what a folder that transformers has written may hold
_KNOWN = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def write_tokenizer_files(source: Path, target: Path, *, context_tokens: int) -> list[str]:
    """Names of the files that `target` now holds for `AutoTokenizer`; ids are those of `source`.

    `source` is a `train` or `tokenizer` artifact, or a folder that transformers has written, which
    is copied as it is.

    Raises:
        ArtifactError: `source` has no tokenizer.
    """
    for name in _KNOWN:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
    if not (target / "tokenizer.json").exists() and not (target / "vocab.json").exists():
        raise ArtifactError(
            f"{source} has neither tokenizer.json nor vocab.json; name a folder that has with "
            f"--tokenizer, such as artifacts/tokens/tokenizer"
        )
    if (source / _OURS).exists():
        _complete(read_json(source / _OURS), target, context_tokens)
    return [name for name in _KNOWN if (target / name).exists()]


def _complete(meta: dict[str, Any], target: Path, context_tokens: int) -> None:
    """Add what readers of the released layout look for beside `tokenizer.json`."""
    end, added = meta["eos_text"], meta["added"]
    ordered = dict(sorted(added.items(), key=lambda item: item[1]))
    text = json.dumps(ordered, ensure_ascii=False, indent=1)
    write_text(target / "added_tokens.json", text + "\n")
    whole = {"content": end, "lstrip": False, "normalized": False, "rstrip": False}
    special = {
        name: {**whole, "single_word": False} for name in ("bos_token", "eos_token", "unk_token")
    }
    write_json(target / "special_tokens_map.json", special)
    # the generic class: the one of GPT-2 or CodeGen would put its own rules for splitting words
    # in the place of those in tokenizer.json
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(number): {**whole, "content": content, "single_word": False, "special": is_special}
            for content, number, is_special in [
                (end, meta["eos"], True),
                *((content, number, False) for content, number in ordered.items()),
            ]
        },
        "bos_token": end,
        "clean_up_tokenization_spaces": False,
        "eos_token": end,
        "model_max_length": context_tokens,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": end,
    }
    write_json(target / "tokenizer_config.json", config)


def eos_of(source: Path) -> int | None:
    """Id of the end-of-text token; None where the folder does not say."""
    if (source / _OURS).exists():
        return int(read_json(source / _OURS)["eos"])
    for name in ("generation_config.json", "config.json"):
        if (source / name).exists():
            found = read_json(source / name).get("eos_token_id")
            if isinstance(found, int):
                return found
    return None
