"""Schema of `topics`."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation

Similarity = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Proposals:
    """How thin areas are filled: ask for topics, leave out repeats, measure again."""

    rounds: Annotated[int, Field(ge=0)]  # 0 asks nobody
    enough: Annotated[int, Field(ge=0)]  # topics that a subject should have
    ask_for: Annotated[int, Field(gt=0)]  # topics in one request
    shown: Annotated[int, Field(ge=0)]  # known topics that the prompt lists
    max_words: Annotated[int, Field(gt=0)]  # of a topic; longer ones are sentences
    max_similarity: Similarity  # to a known topic of its domain; above it repeats that one
    system: str
    prompt: str  # with {domain} {subject} {known} {count} {round}


@dataclass(frozen=True, config=STRICT)
class Selection:
    """Which topics are written about."""

    count: Annotated[int, Field(gt=0)] | None  # null takes all that the weights allow
    seed: int
    weights: dict[
        str, Annotated[float, Field(ge=0)]
    ]  # share of each domain; unlisted domains get none
    max_similarity: Similarity  # of two topics of a domain, facets apart
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Topics:
    """From a taxonomy or a file of one's own to the topics of the textbooks."""

    source: str  # relative to the repository: taxonomy, or a table of one's own
    proposals: Proposals
    selection: Selection
