"""Schema of `books`."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Answers:
    """What is asked: prompt text with {domain} {subject} {topic} {audience} {style} {variation}."""

    system: str
    prompt: str
    variations: Annotated[int, Field(gt=0)]  # books per topic
    max_failed_share: Annotated[float, Field(ge=0, lt=1)]  # of the requests; more stops the stage
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which answers become books."""

    min_words: int
    max_words: int
    refusals: list[str]  # openings of an answer that is none, lower case
    parts: list[str]  # words of which a book has to contain at least one each: a|b
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Books:
    """From topics to textbooks."""

    answers: Answers
    corpus: Corpus
