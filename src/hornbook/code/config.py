"""Schema of `code`."""

import re
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from hornbook.classifier.config import Annotations, Filter, Fit, Scores
from hornbook.config import STRICT, Expectation

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]


def _expression(name: str) -> str:
    """An SPDX expression as SPDX writes it, since files are compared with it letter by letter."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        meant: str = canonicalize_license_expression(name)
    except InvalidLicenseExpression:
        meant = _meant(name)
    if meant != name:
        hint = f"; did you mean {meant}?" if meant else ""
        raise ValueError(f"{name!r} is no SPDX identifier (https://spdx.org/licenses){hint}")
    return name


def _identifier(name: str) -> str:
    if " " in _expression(name):
        raise ValueError(f"{name!r} is several: name each by itself")
    return name


def _meant(name: str) -> str:
    """What another name of a licence, or a misspelt one, most likely stands for."""
    from hornbook.code.licences import by_name

    near = get_close_matches(name.lower(), by_name(), 1)
    return by_name()[near[0]] if near else ""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


Licence = Annotated[str, AfterValidator(_identifier)]


@dataclass(frozen=True, config=STRICT)
class Secrets:
    """What is done about keys and passwords, and which strings look like some."""

    found: Literal["drop", "mask"]
    min_length: Positive  # of a string that is assigned to a name such as `password`
    min_entropy: float  # bits a character
    max_words: Share  # of its letters that are in words


@dataclass(frozen=True, config=STRICT)
class Questions:
    """Which questions are taken, each with one answer."""

    tags: list[str]  # one of them is enough; none: every question
    licences: list[Licence]  # SPDX identifiers that are allowed
    min_question_score: int
    min_answer_score: int  # also of an accepted answer
    min_words: Count  # of question and answer together
    max_words: Positive
    max_row_bytes: Positive  # of a row in the XML; a longer one is damaged


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which source files and questions are taken."""

    include: list[str]  # globs below data.code
    installed: list[str]  # NAME==VERSION; python is the standard library
    languages: list[str]  # of a table that names them, without case
    licences: list[Licence]  # SPDX identifiers that are allowed
    folder_licences: dict[
        str, Annotated[str, AfterValidator(_expression)]
    ]  # by start of the path; the longest that fits
    max_bytes: Positive  # of a file
    min_lines: Count
    max_lines: Positive
    max_line_length: Positive
    max_mean_line_length: float
    min_alpha: Share  # of letters
    max_encoded_run: Positive  # characters of inline base64, hexadecimal or escapes
    max_encoded: Share  # of the characters in such runs
    max_literal_lines: Share  # of lines that are tables of constants
    head_lines: Positive  # that are looked at for a licence and for marks of generators
    generated_marks: list[
        Annotated[str, AfterValidator(_pattern)]
    ]  # regular expressions without case
    test_names: list[str]  # globs of a file's name
    test_folders: list[str]
    max_test_definitions: Share  # of the classes and functions of a file
    vendored_folders: list[str]
    secrets: Secrets
    questions: Questions
    shard_bytes: Positive
    dropped_examples: Count  # kept of each reason; all are counted
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Code:
    """From source files to filtered code."""

    corpus: Corpus
    annotations: Annotations
    classifier: Fit
    scores: Scores
    filter: Filter
