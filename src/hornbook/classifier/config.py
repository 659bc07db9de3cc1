"""Schema of the four steps that web and code share."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Annotations:
    """What the teacher is asked about which sample."""

    sample: Annotated[int, Field(gt=1)]
    seed: int
    characters: int  # how much of a document the teacher sees
    rubric: str
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Fit:
    """The classifier and how it is judged."""

    features: int  # width of the hashed words
    l2: float  # strength of the penalty
    held_out: Annotated[float, Field(gt=0, lt=1)]  # share of annotations for the figures
    positive_from: int  # the annotation from which a document counts as educational
    seed: int


@dataclass(frozen=True, config=STRICT)
class Scores:
    """A score per document, on the annotations' scale of 0 to 5."""

    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Filter:
    """The threshold that decides."""

    threshold: Annotated[float, Field(ge=0, le=5)]
    expectations: list[Expectation]
