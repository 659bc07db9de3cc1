"""A cell of our tables: what was measured, how sure it is, and which stage it came from."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hornbook.artifacts import read_json, read_table
from hornbook.errors import ArtifactError


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Overlap:
    """How much of a benchmark the training text of a variant holds, each a share in [0, 1].

    `items` counts an item when any of its n-grams is in any corpus. `ngrams` counts n-grams, for
    each item in the one corpus that holds most of them, so it is a lower bound.
    """

    items: float
    ngrams: float
    checked: int  # items long enough to have an n-gram


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Cell:
    """One score of one variant; `value` is in [0, 1], or None with the reason in `not_run`."""

    stage: str
    variant: str
    suite: str
    task: str
    metric: str
    value: float | None
    stderr: float | None
    items: int | None
    clusters: int | None
    chance: float | None
    blind: float | None
    not_run: str | None
    version: str | None
    overlap: Overlap | None = None

    @property
    def floor(self) -> float | None:
        """What a guesser reaches: the higher of chance and the score without the question."""
        known = [value for value in (self.chance, self.blind) if value is not None]
        return max(known) if known else None


_CELL = TypeAdapter(Cell)
_OPTIONAL = ("value", "stderr", "items", "clusters", "chance", "blind", "not_run", "version")


def read_cells(file: Path, stage: str) -> list[Cell]:
    """The cells of one evaluation, sorted by task and metric, overlap not yet looked up.

    Raises:
        ArtifactError: The file is not the result of an evaluation.
    """
    found = read_json(file)
    try:
        cells = [
            _CELL.validate_python(
                dict.fromkeys(_OPTIONAL)
                | raw
                | {"variant": found["variant"], "suite": found["suite"]}
                | {"stage": stage, "overlap": None}
            )
            for raw in found["cells"]
        ]
    except (KeyError, TypeError, ValidationError) as error:
        raise ArtifactError(
            f"{file} is not a result of an evaluation ({error}); run: dvc repro {stage}"
        ) from error
    return sorted(cells, key=lambda cell: (cell.task, cell.metric))


OverlapCounts = dict[str, dict[str, tuple[int, int]]]


def read_overlap(file: Path) -> OverlapCounts:
    """n-grams found and n-grams in all, by benchmark and item, of one corpus."""
    table = read_table(file, ["benchmark", "item_id", "overlapping_ngrams", "ngrams"])
    counts: OverlapCounts = {}
    for row in table.to_pylist():
        items = counts.setdefault(str(row["benchmark"]), {})
        items[str(row["item_id"])] = (int(row["overlapping_ngrams"]), int(row["ngrams"]))
    return counts


def overlap_of(task: str, corpora: Sequence[OverlapCounts]) -> Overlap | None:
    """The overlap of a task with several corpora together; None where none of them checked it."""
    most: dict[str, tuple[int, int]] = {}
    for counts in corpora:
        for item, (found, total) in counts.get(benchmark_of(task, counts), {}).items():
            most[item] = (max(found, most.get(item, (0, 0))[0]), total)
    checked = [(found, total) for found, total in most.values() if total]
    if not checked:
        return None
    return Overlap(
        items=round(sum(found > 0 for found, _ in checked) / len(checked), 6),
        ngrams=round(sum(found for found, _ in checked) / sum(total for _, total in checked), 6),
        checked=len(checked),
    )


def benchmark_of(task: str, known: Iterable[str]) -> str:
    """The name under which decontamination knows a task: its own, or the end of a path."""
    names = sorted(known)
    return next(
        (name for name in names if name.split("/")[-1].removesuffix(".jsonl") == task), task
    )


def corpora_of(mixture: Mapping[str, Any], file: Path) -> list[str]:
    """The corpora a variant is trained on, sorted.

    Raises:
        ArtifactError: The manifest names none.
    """
    names = sorted({str(source["corpus"]) for source in mixture.get("sources", [])})
    if not names:
        raise ArtifactError(f"{file} names no source; materialise the mixture stage again")
    return names
