"""Vocabularies that others made: a folder of their files, or a name on the Hugging Face hub."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hornbook.errors import InputError
from hornbook.tokens.encoder import byte_letters
from hornbook.tokens.files import find_text_file, read_text_file
from hornbook.tokens.patterns import GPT2_PATTERN
from hornbook.tokens.vocabulary import Vocabulary, hugging_face

_KIND = "expected a byte-level BPE as GPT-2's, CodeGen's or Llama 3's"
# Source: CodeGen's include_whitespace and include_tabs, longest first.
CODEGEN_RUNS = (*(" " * n for n in range(31, 1, -1)), *("\t" * n for n in range(9, 1, -1)))


def from_files(folder: Path, *, eos_text: str, added_tokens: bool) -> Vocabulary:
    """The vocabulary of a folder: `tokenizer.json`, else vocab and merges; plain or gzipped.

    `added_tokens` gives it CodeGen's runs of blanks where it has none of its own.

    Raises:
        InputError: A file is absent, or is not what it should be.
    """
    if find_text_file(folder, "tokenizer.json"):
        file, text = read_text_file(folder, "tokenizer.json")
        made = parse(_json(file, text), eos_text=eos_text, where=str(file))
    else:
        made = _from_pair(folder, eos_text=eos_text)
    if not added_tokens or set(CODEGEN_RUNS) <= set(made.added):
        return made
    runs = {run: made.tokens + place for place, run in enumerate(CODEGEN_RUNS)}
    return replace(made, added={**made.added, **runs})


def from_hub(name: str, revision: str, *, eos_text: str) -> Vocabulary:
    """The vocabulary of a repository on the Hugging Face hub, at one commit of it.

    Raises:
        InputError: It cannot be fetched, or is not of a kind that we encode.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        file = Path(hf_hub_download(name, "tokenizer.json", revision=revision))
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"tokens.tokenizer.hub: {name} at {revision} is not in this machine's Hugging Face "
            f"cache, and the hub cannot be reached (HF_HUB_OFFLINE is set, or there is no "
            f"network); put its tokenizer.json into a folder and compose with "
            f"tokens.tokenizer.kind=files data.tokenizer=FOLDER"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise InputError(
            f"tokens.tokenizer.hub: tokenizer.json of {name} at {revision} cannot be fetched: "
            f"{' '.join(str(error).split())}; is the name right, does the repository have that "
            f"commit and that file, and does it need HF_TOKEN?"
        ) from error
    where = f"{name} at {revision[:12]}, tokenizer.json"
    return parse(_json(file, file.read_text("utf-8")), eos_text=eos_text, where=where)


def parse(content: Mapping[str, Any], *, eos_text: str, where: str) -> Vocabulary:
    """The vocabulary of a `tokenizer.json`.

    Raises:
        InputError: It is of a kind whose ids tiktoken would not give.
    """
    model: Mapping[str, Any] = content.get("model") or {}
    odd = [
        k for k in ("dropout", "continuing_subword_prefix", "end_of_word_suffix") if model.get(k)
    ]
    if model.get("type") != "BPE" or model.get("byte_fallback") or odd:
        told = odd or ("byte_fallback" if model.get("byte_fallback") else model.get("type"))
        raise InputError(f"{where}: its model is {told}; {_KIND}")
    if content.get("normalizer"):
        raise InputError(
            f"{where}: it changes the text first (normalizer {content['normalizer'].get('type')}), "
            f"so that a text would not come back from its ids; {_KIND}"
        )
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    more: Sequence[Mapping[str, Any]] = content.get("added_tokens") or []
    special = {one["content"]: int(one["id"]) for one in more if one["special"]}
    added = {one["content"]: int(one["id"]) for one in more if not one["special"]}
    made = _checked(
        Vocabulary(
            ids={**model["vocab"], **special},
            merges=tuple((pair[0], pair[1]) for pair in merges),
            pattern=_pattern(content.get("pre_tokenizer"), where),
            eos_text=eos_text,
            special=special,
            added=added,
            ignore_merges=bool(model.get("ignore_merges")),
        ),
        where,
    )
    reference = hugging_face(made)
    moved = [text for text in added if reference.token_to_id(text) != added[text]]
    if moved:
        raise InputError(f"{where}: ids are missing before added token {moved[0]!r}; {_KIND}")
    return made


def _pattern(found: Mapping[str, Any] | None, where: str) -> str:
    """The one regular expression that cuts as a `pre_tokenizer` does."""
    steps = (found or {}).get("pretokenizers") or [found or {}]
    kinds = [step.get("type") for step in steps]
    last = steps[-1]
    if kinds[-1] == "ByteLevel" and not last.get("add_prefix_space"):
        if kinds == ["ByteLevel"] and last.get("use_regex", True):
            return GPT2_PATTERN
        if kinds == ["Split", "ByteLevel"] and not last.get("use_regex", True):
            split = steps[0]
            pattern = split["pattern"].get("Regex")
            if pattern and split["behavior"] == "Isolated" and not split.get("invert"):
                return pattern
    raise InputError(
        f"{where}: it cuts text by {' then '.join(map(str, kinds))} with settings that are not one "
        f"regular expression; {_KIND}"
    )


def _from_pair(folder: Path, *, eos_text: str) -> Vocabulary:
    vocab_file, vocab_text = read_text_file(folder, "*vocab.json")
    merges_file, merges_text = read_text_file(folder, "*merges.txt")
    ids: dict[str, int] = _json(vocab_file, vocab_text)
    lines = [line for line in merges_text.splitlines() if line and not line.startswith("#version")]
    pairs = [tuple(line.split(" ")) for line in lines]
    broken = next((line for line, pair in zip(lines, pairs, strict=True) if len(pair) != 2), None)
    if broken is not None:
        raise InputError(f"{merges_file}: {broken!r} is not two tokens and a blank between them")
    return _checked(
        Vocabulary(
            ids=ids,
            merges=tuple((pair[0], pair[1]) for pair in pairs),
            pattern=GPT2_PATTERN,
            eos_text=eos_text,
            special={eos_text: ids[eos_text]} if eos_text in ids else {},
            added={},
        ),
        str(vocab_file),
    )


def _checked(made: Vocabulary, where: str) -> Vocabulary:
    """The vocabulary, if it is one that tiktoken merges as `tokenizers` does."""
    if made.eos_text not in made.special:
        known = ", ".join(map(repr, made.special)) or f"none; the last token is {[*made.ids][-1]!r}"
        raise InputError(
            f"{where} has no token {made.eos_text!r} (tokens.tokenizer.eos_text); its special "
            f"tokens are {known}"
        )
    letters = byte_letters()
    lacking = [letter for letter in letters if letter not in made.ids]
    strange = [t for t in made.ids if t not in made.special and not set(t) <= letters.keys()]
    if lacking or strange:
        told = f"no token for byte {letters[lacking[0]]}" if lacking else f"token {strange[0]!r}"
        raise InputError(f"{where} has {told}; {_KIND}")
    unknown = next((p for p in made.merges if not {*p, "".join(p)} <= made.ids.keys()), None)
    if unknown:
        raise InputError(f"{where}: merge {' '.join(unknown)!r} is of tokens that are not there")
    order = [made.ids["".join(pair)] for pair in made.merges]
    back = next((pair for pair in pairwise(order) if pair[1] < pair[0]), None)
    if back:
        raise InputError(
            f"{where}: token {back[1]} is merged after token {back[0]}; ids have to follow the "
            f"order of the merges (RoBERTa's and OPT's do not); {_KIND}"
        )
    return made


def _json(file: Path, text: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{file} is not JSON ({error})") from error
