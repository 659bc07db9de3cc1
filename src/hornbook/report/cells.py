"""A cell of our tables: what was measured, how sure it is, and which stage it came from."""

from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError
from hornbook.report.overlap import Clean, Overlap


@dataclass(frozen=True)
class SeedScore:
    """The score of the model of one seed, and the stage that has it."""

    seed: int
    stage: str
    value: float
    hash: str | None = None


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
    hash: str | None = None  # DVC's, of the artifact that has the score
    overlap: Overlap | None = None
    clean: Clean | None = None  # the same score over the items that the training text lacks
    seeds: tuple[SeedScore, ...] = ()  # of which the value is the mean; empty for one seed
    seeds_stderr: float | None = None  # the part of the error that is between seeds

    @property
    def kind(self) -> str:
        """The metric without how it was run, such as in a weaker sandbox."""
        return self.metric.partition(" ")[0]

    @property
    def floor(self) -> float | None:
        """What a guesser reaches: the higher of chance and the score without the question."""
        known = [value for value in (self.chance, self.blind) if value is not None]
        return max(known) if known else None


_CELL = TypeAdapter(Cell)
_OPTIONAL = ("value", "stderr", "items", "clusters", "chance", "blind", "not_run", "version")


def read_cells(file: Path, stage: str, dvc_hash: str | None = None) -> list[Cell]:
    """The cells of one evaluation, sorted by task and metric, overlap not yet looked up.

    `dvc_hash` is that of the artifact which holds the file.

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
                | {"stage": stage, "hash": dvc_hash, "overlap": None, "clean": None}
            )
            for raw in found["cells"]
        ]
    except (KeyError, TypeError, ValidationError) as error:
        raise ArtifactError(
            f"{file} is not a result of an evaluation ({error}); run: dvc repro {stage}"
        ) from error
    return sorted(cells, key=lambda cell: (cell.task, cell.metric))
