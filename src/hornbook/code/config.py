"""Schema of `code`."""

from pydantic.dataclasses import dataclass

from hornbook.classifier.config import Annotations, Filter, Fit, Scores
from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which source files are taken."""

    include: list[str]  # globs below data.code
    licences: list[str]  # SPDX identifiers that are allowed
    folder_licence: str  # of files in a folder tree, which carry none themselves
    min_lines: int
    max_lines: int
    max_line_length: int
    max_mean_line_length: float
    min_alpha: float  # share of letters
    generated_marks: list[str]
    test_names: list[str]  # substrings of a file name
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Code:
    """From source files to filtered code."""

    corpus: Corpus
    annotations: Annotations
    classifier: Fit
    scores: Scores
    filter: Filter
