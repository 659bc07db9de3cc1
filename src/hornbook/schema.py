"""The schema of all that is identity: one section per noun, no defaults, unknown keys refused."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from hornbook.books.config import Books
from hornbook.clean.config import Clean
from hornbook.code.config import Code
from hornbook.config import STRICT
from hornbook.evaluate.config import Evaluate
from hornbook.lineage import compared, further_seeds
from hornbook.mixture.config import Mixture
from hornbook.model.config import Model
from hornbook.perplexity.config import Perplexity
from hornbook.red_team.config import RedTeam
from hornbook.report.config import Report
from hornbook.teacher.config import Teacher
from hornbook.tokens.config import Tokens
from hornbook.topics.config import Topics
from hornbook.toxigen.config import Toxigen
from hornbook.train.config import Train
from hornbook.web.config import Web


def _is_list_of_seeds(value: Any) -> Any:  # noqa: ANN401 - whatever was given
    if found := further_seeds.problem(value):
        raise ValueError(found)
    return value


def _is_list_of_models(value: Any) -> Any:  # noqa: ANN401 - whatever was given
    if found := compared.problem(value):
        raise ValueError(found)
    return value


Seeds = Annotated[tuple[int, ...], BeforeValidator(_is_list_of_seeds)]
Compare = Annotated[tuple[str | Mapping[str, str], ...], BeforeValidator(_is_list_of_models)]


@dataclass(frozen=True, config=STRICT)
class Models:
    """Models that were not trained here."""

    compare: Compare  # rows of the tables beside our variants


@dataclass(frozen=True, config=STRICT)
class Data:
    """Where the inputs are, relative to the repository; their content is what is tracked."""

    web: str
    code: str
    benchmarks: str
    toxigen: str
    tokenizer: str
    judgements: str  # a folder, or a file where there are none
    encoder: str  # likewise


@dataclass(frozen=True, config=STRICT)
class Params:
    """One experiment."""

    seeds: Seeds  # of training; each variant is trained once from each
    models: Models
    data: Data
    environment: dict[str, str]  # versions from requirements.lock, by package
    teacher: Teacher
    topics: Topics
    books: Books
    web: Web
    code: Code
    clean: Clean
    tokens: Tokens
    mixture: Mixture
    model: Model
    train: Train
    evaluate: Evaluate
    toxigen: Toxigen
    red_team: RedTeam
    perplexity: Perplexity
    report: Report
