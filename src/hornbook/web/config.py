"""Schema of `web`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from hornbook.classifier.config import Annotations, Filter, Fit, Scores
from hornbook.config import STRICT, Expectation
from hornbook.web.rules_config import Rules


def _told_apart(language: str) -> str:
    from resiliparse.parse.lang import supported_langs

    known: list[str] = sorted(supported_langs())
    if language not in known:
        raise ValueError(
            f"{language!r} is no language that is told from others; these are {', '.join(known)}"
        )
    return language


@dataclass(frozen=True, config=STRICT)
class Limits:
    """What a reader takes from a file; more is counted and passed over."""

    page_bytes: Annotated[int, Field(gt=0)]  # of one page, or of the text of one row
    expansion: Annotated[int, Field(gt=0)]  # times its own size that a file may unpack to


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """What is read and what survives extraction and rules."""

    include: list[str]  # globs below data.web
    languages: list[Annotated[str, AfterValidator(_told_apart)]]
    max_language_rank: int  # resiliparse's distance; higher is less certain
    unreadable_file: Literal["refuse", "skip"]
    limits: Limits
    shard_bytes: Annotated[int, Field(gt=0)]  # of small files that one worker reads together
    examples: Annotated[int, Field(ge=0)]  # of drops that are kept for each reason
    rules: Rules
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Web:
    """From crawl to filtered web."""

    corpus: Corpus
    annotations: Annotations
    classifier: Fit
    scores: Scores
    filter: Filter
