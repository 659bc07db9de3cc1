"""The data sheet of an artifact: how it was made, what is in it, and what it is not good for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hornbook.lineage.manifest import Stage
from hornbook.lineage.workspace import flatten
from hornbook.report.samples import Dataset, shortened
from hornbook.report.statistics import Artifact

TEXTS = Path(__file__).parent / "datasheets.yaml"
PROCEDURAL = "procedural"
ASK_A_TEACHER = ("topics", "books")
VALUE_CHARACTERS = 1200


@dataclass(frozen=True)
class Sheet:
    """What a page tells of an artifact besides its record.

    `values` are those of the experiment by dotted key, as text.
    """

    code: tuple[str, ...]
    sources: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    datasets: tuple[Dataset, ...] = ()


def values_of(keys: Sequence[str], values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The values of these keys, sorted; what is checked of a result is no cause of it."""
    flat = flatten({key: values[key] for key in keys if key in values})
    return tuple(
        (key, value_text(value))
        for key, value in sorted(flat.items())
        if "expectations" not in key.split(".")
    )


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    """A value as a page shows it; of a place on this machine only the name."""
    if isinstance(value, str):
        return shortened(Path(value).name if Path(value).is_absolute() else value, VALUE_CHARACTERS)
    text = yaml.safe_dump(value, default_flow_style=True, width=VALUE_CHARACTERS).strip()
    return shortened(text.removesuffix("...").strip(), VALUE_CHARACTERS)


def sheet(stage: Stage, values: Mapping[str, Any], found: Sequence[Dataset]) -> Sheet:
    """The sheet of a stage's artifact with its tables."""
    sources = (Path(one) for one in stage.sources)
    return Sheet(
        code=stage.code,
        sources=tuple(one.name if one.is_absolute() else one.as_posix() for one in sources),
        values=values_of(stage.params, values),
        datasets=tuple(found),
    )


@dataclass(frozen=True)
class About:
    """Where the content of an artifact is from, and its known limits."""

    sources: tuple[str, ...]
    limits: tuple[str, ...]


@cache
def _texts() -> Mapping[str, Mapping[str, Any]]:
    return yaml.safe_load(TEXTS.read_text("utf-8"))


def about(one: Artifact, teacher: str) -> About:
    """What `datasheets.yaml` says of an artifact: of its noun, and of the corpus that it holds."""
    nouns = [one.group, *([one.instance] if one.instance in _texts() else [])]
    if teacher == PROCEDURAL and set(nouns) & set(ASK_A_TEACHER):
        nouns.append(PROCEDURAL)
    said = [_texts().get(noun, {}) for noun in nouns]
    return About(
        tuple(text["sources"].format(teacher=teacher) for text in said if "sources" in text),
        tuple(limit for text in said for limit in text["limits"]),
    )


def chain(artifacts: Sequence[Artifact], stage: str) -> list[Artifact]:
    """All that an artifact was made from, the nearest first."""
    known = {one.stage: one for one in artifacts}
    found: dict[str, Artifact] = {}
    todo = list(known[stage].producers)
    while todo:
        name = todo.pop(0)
        if name not in found:
            found[name] = known[name]
            todo += known[name].producers
    return list(found.values())
