"""A cell of our tables: what was measured, how sure it is, and which stage it came from."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hornbook.artifacts import read_json, read_table
from hornbook.errors import ArtifactError


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Overlap:
    """How much of a benchmark the training text of a variant holds, each a share in [0, 1].

    `items` counts an item when any of its n-grams is in any corpus, `ngrams` counts n-grams.
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


# tasks that ask the items of another benchmark
SAME_ITEMS = {"gsm8k_code": "gsm8k"}

# benchmark -> item -> which of its n-grams a corpus has, and how many it has in all
CorpusOverlap = dict[str, dict[str, tuple[frozenset[int], int]]]


def read_overlap(file: Path) -> CorpusOverlap:
    """Which n-grams of which benchmark item one corpus has."""
    table = read_table(file, ["benchmark", "item_id", "ngrams", "positions"])
    found: CorpusOverlap = {}
    for row in table.to_pylist():
        items = found.setdefault(str(row["benchmark"]), {})
        items[str(row["item_id"])] = (frozenset(row["positions"]), int(row["ngrams"]))
    return found


def overlap_of(task: str, corpora: Sequence[CorpusOverlap]) -> Overlap | None:
    """The overlap of a task with several corpora together; None where none of them checked it."""
    united: dict[str, tuple[frozenset[int], int]] = {}
    for corpus in corpora:
        for item, (positions, total) in corpus.get(SAME_ITEMS.get(task, task), {}).items():
            united[item] = (positions | united.get(item, (frozenset(), 0))[0], total)
    checked = [(len(positions), total) for positions, total in united.values() if total]
    if not checked:
        return None
    return Overlap(
        items=round(sum(found > 0 for found, _ in checked) / len(checked), 6),
        ngrams=round(sum(found for found, _ in checked) / sum(total for _, total in checked), 6),
        checked=len(checked),
    )
