"""What `dvc.yaml` repeats for each model of `models.compare`: the values behind its templates.

As with further seeds, DVC repeats stages for a mapping and knows no list of inputs that varies, so
`compared_scores@NAME` takes up what the models before it have and adds its own (D-032).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.artifacts import read_json
from hornbook.errors import ConfigError
from hornbook.lineage.further_seeds import NOTHING, variants_of

SCORES = "artifacts/compared_scores"
REPEATED = ("evaluate_compared", "toxigen_compared", "compared_scores")
KEY = "models.compare"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_HUB = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?:@([^@]*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
# what a model is for that does not continue a text
_OTHER_USES = ("MaskedLM", "Classification", "QuestionAnswering", "PreTraining")
_FORM = (
    "expected a list of folders or of NAME@COMMIT on the Hugging Face hub, such as "
    "[/models/gpt2], or with a name for the row [{name: big, model: /models/gpt2}]"
)


class Entry(NamedTuple):
    """A model to compare with: the name of its row, and its folder or name as it was given."""

    name: str
    model: str


def problem(entries: Any) -> str | None:  # noqa: ANN401 - whatever was given
    """What is wrong with the form of `models.compare`; None where it is a list of models."""
    if not isinstance(entries, list | tuple):
        return _FORM
    for entry in entries:
        if isinstance(entry, Mapping):
            is_one = set(entry) == {"name", "model"} and all(map(_is_text, entry.values()))
        else:
            is_one = _is_text(entry)
        if not is_one:
            return f"{entry!r} is no model; {_FORM}"
    return None


def _is_text(value: Any) -> bool:  # noqa: ANN401 - whatever was given
    return isinstance(value, str) and bool(value.strip())


def compared(root: Path, entries: Sequence[str | Mapping[str, str]]) -> dict[str, Any]:
    """The derived section `compared` of `params.yaml`; an empty list names no stage.

    `names` are the rows in the order given, `models` have the folder of each, `scores` what comes
    before each, `last` what holds the scores of all.

    Raises:
        ConfigError: Two rows have one name, or a model is not there, not pinned or not whole.
    """
    given = [_entry(one) for one in entries]
    _require_distinct(given, variants_of(root) if given else {})
    names = [one.name for one in given]
    before = [NOTHING, *(f"{SCORES}/{name}" for name in names)]
    return {
        "names": names,
        "models": {one.name: _located(root, one.model) for one in given},
        "scores": {name: before[place] for place, name in enumerate(names)},
        "last": before[-1],
    }


def _entry(given: str | Mapping[str, str]) -> Entry:
    """The row's name is given, or the last part of the path with only what a slug may have."""
    if isinstance(given, Mapping):
        entry = Entry(given["name"], given["model"])
    else:
        last = Path(given.rpartition("@")[0] or given).name
        entry = Entry(re.sub(r"[^A-Za-z0-9_-]+", "_", last), given)
    if not NAME.fullmatch(entry.name):
        raise ConfigError(
            f"{KEY}: {entry.model} would be the row {entry.name!r}; a row's name begins with a "
            f"letter and has letters, digits, '_' and '-': give one as "
            f"{{name: NAME, model: {entry.model}}}"
        )
    return entry


def _require_distinct(entries: Sequence[Entry], variants: Mapping[str, Any]) -> None:
    taken = {name: f"the variant {name} that is trained here" for name in variants}
    for name, model in entries:
        if name in taken:
            raise ConfigError(
                f"{KEY}: {model} would be the row {name!r}, and so is {taken[name]}; give one of "
                f"them another name: {{name: OTHER, model: {model}}}"
            )
        taken[name] = model


def _located(root: Path, model: str) -> dict[str, str | None]:
    """Where the files of a model are, and its name and commit where it is of the hub.

    A path stays as it was given, relative or not: an absolute one is no part of this checkout.
    """
    folder = Path(model).expanduser()
    if (root / folder).is_dir():
        _require_whole(root / folder, model)
        return {"folder": str(folder), "hub": None}
    found = _HUB.fullmatch(model)
    if found is None or folder.is_absolute() or model.startswith((".", "artifacts/")):
        raise ConfigError(
            f"{KEY}: {model} is not there; name a folder with config.json, weights and tokenizer, "
            f"such as one that `hornbook export` wrote"
        )
    return _of_hub(found[1], found[2])


def _of_hub(name: str, commit: str | None) -> dict[str, str | None]:
    """The folder of a model of the hub in this machine's cache; nothing is fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if not _COMMIT.fullmatch(commit or ""):
        raise ConfigError(
            f"{KEY}: {name} is no folder here, and as a name on the Hugging Face hub it needs the "
            f"commit of its files, because a branch may come to mean others: write {name}@COMMIT "
            f"with the 40 hexadecimal digits that https://huggingface.co/{name}/commits/main lists"
        )
    pinned = f"{name}@{commit}"
    try:
        folder = Path(snapshot_download(name, revision=commit, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise ConfigError(
            f"{KEY}: {pinned} is not in this machine's Hugging Face cache, and nothing is fetched "
            f"unasked; run: hf download {name} --revision {commit}"
        ) from error
    except HFValidationError as error:
        raise ConfigError(f"{KEY}: {pinned} is no name on the Hugging Face hub: {error}") from error
    _require_whole(folder, pinned)
    return {"folder": str(folder), "hub": pinned}


def _require_whole(folder: Path, model: str) -> None:
    """Refuse what could not be asked, before anything waits for it."""
    if not (folder / "config.json").exists():
        raise ConfigError(f"{KEY}: {model} has no config.json; is it the folder of a model?")
    config = read_json(folder / "config.json")
    made_for: Sequence[str] = config.get("architectures") or []
    if config.get("is_encoder_decoder") or any(one.endswith(_OTHER_USES) for one in made_for):
        what = ", ".join(made_for) or config.get("model_type")
        raise ConfigError(
            f"{KEY}: {model} is {what}, which does not continue a text; expected a causal language "
            f"model"
        )
    if not any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
        raise ConfigError(
            f"{KEY}: {model} has no weights ({' or '.join(_WEIGHTS)}); copy the whole folder again"
        )
    if not any((folder / name).exists() for name in _TOKENIZERS):
        raise ConfigError(
            f"{KEY}: {model} has no tokenizer ({', '.join(_TOKENIZERS)}); a model is asked with "
            f"its own: copy its files into the folder"
        )
