"""Schema of the four steps that web and code share."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


def _power_of_two(value: int) -> int:
    if value < 2 or value & (value - 1):
        raise ValueError("not a power of two")
    return value


@dataclass(frozen=True, config=STRICT)
class Annotations:
    """What the teacher is asked about which sample."""

    sample: Annotated[int, Field(gt=1)]
    seed: int
    characters: int  # how much of a document the teacher sees
    rubric: str
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Embedding:
    """What the forest sees of a text; `transformer` is the encoder in the folder `data.encoder`."""

    kind: Literal["projection", "transformer"]
    dimensions: Annotated[int, Field(gt=0)]  # of the projection
    min_documents: Annotated[int, Field(gt=0)]  # of the sample that a projected word stands in
    max_tokens: Annotated[int, Field(gt=0)]  # of a text that the encoder reads


@dataclass(frozen=True, config=STRICT)
class Forest:
    """Size of the random forest."""

    trees: Annotated[int, Field(gt=0)]
    max_depth: Annotated[int, Field(gt=0)]
    min_leaf: Annotated[int, Field(gt=0)]  # annotated texts in a leaf


@dataclass(frozen=True, config=STRICT)
class Parts:
    """Shares of the annotations that are kept from training."""

    calibration: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class Fit:
    """The classifier and how it is judged."""

    kind: Literal["forest", "linear"]
    characters: Annotated[int, Field(gt=0)]  # of a text that are read, in training and scoring
    features: Annotated[int, AfterValidator(_power_of_two)]  # buckets of the hashed words
    l2: Annotated[float, Field(gt=0)]  # strength of the linear model's penalty
    embedding: Embedding
    forest: Forest
    calibration: Literal["platt", "isotonic"]
    parts: Parts
    bins: Annotated[int, Field(gt=1)]  # of the reliability plot
    positive_from: Annotated[int, Field(ge=1, le=5)]  # the annotation that counts as educational
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
