"""The paper's own figures, each with its source and whether it was seen in text."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT

FIGURES = Path(__file__).with_name("figures.yaml")

Unit = Literal["fraction", "percent", "mixed"]


@dataclass(frozen=True, config=STRICT)
class PaperCell:
    """A printed figure; text where the paper prints a bound, None where it prints nothing."""

    value: float | str | None
    verified: bool


@dataclass(frozen=True, config=STRICT)
class PaperColumn:
    """A benchmark of the paper and the evaluation task that measures the same."""

    key: str
    label: str
    task: str | None = None
    metric: str | None = None


@dataclass(frozen=True, config=STRICT)
class PaperRow:
    """A model of the paper; `variant` is our slug where we train its counterpart."""

    label: str
    seen_in: str
    cells: dict[str, PaperCell]
    variant: str | None = None


@dataclass(frozen=True, config=STRICT)
class PaperTable:
    """A table of the paper; `unit` is how it prints its figures."""

    title: str
    caption: str
    source: str
    unit: Unit
    columns: list[PaperColumn]
    rows: list[PaperRow]


@dataclass(frozen=True, config=STRICT)
class Figures:
    """All tables of the paper by name."""

    paper: str
    tables: dict[str, PaperTable]
    red_team: PaperTable  # whose figures stand in a section and in no numbered table


@cache
def load_figures() -> Figures:
    """Tables 1 to 4 and the red-team labels. Source: arXiv:2309.05463."""
    return TypeAdapter(Figures).validate_python(yaml.safe_load(FIGURES.read_text("utf-8")))
