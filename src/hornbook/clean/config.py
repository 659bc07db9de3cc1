"""Schema of `clean`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Dedup:
    """What counts as a near-duplicate in one corpus."""

    shingle_words: int  # consecutive words that make one element of a document's set
    bands: int  # a pair is looked at when one band of its signatures is equal
    rows: int  # signature slots in a band
    threshold: float  # Jaccard similarity of the sets from which a document is a duplicate
    compared: int  # documents that a band key remembers, and that a document is compared with
    seed: int  # of the signatures
    expectations: tuple[Expectation, ...]  # of data set documents: id, source, characters

    @model_validator(mode="after")
    def _in_range(self) -> "Dedup":
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold}: expected more than 0, at most 1")
        if min(self.shingle_words, self.bands, self.rows, self.compared) < 1:
            raise ValueError("shingle_words, bands, rows and compared: expected at least 1 each")
        return self


@dataclass(frozen=True, config=STRICT)
class Edited:
    """What counts as a copy in which words were changed."""

    seed_words: Annotated[int, Field(ge=2)]  # consecutive words that every such copy shares
    common_texts: Annotated[int, Field(ge=1)]  # a run that more texts have leads to none of them
    edits: Annotated[float, Field(gt=0, lt=1)]  # share of a text's words that may be changed
    share: Annotated[float, Field(gt=0, le=1)]  # of a text's words that stand where they should
    weighted_share: Annotated[float, Field(ge=0, le=1)]  # the same, rare words count for more


@dataclass(frozen=True, config=STRICT)
class Short:
    """What is done about items that are shorter than an n-gram."""

    least_words: Annotated[int, Field(ge=1)]  # shorter ones are not looked for
    action: Literal["remove", "report"]


@dataclass(frozen=True, config=STRICT)
class Programs:
    """What counts as a copy of a benchmark's function."""

    least_nodes: Annotated[int, Field(ge=1)]  # smaller syntax trees say too little
    similarity: Annotated[float, Field(gt=0, le=1)]  # of normalised syntax trees


@dataclass(frozen=True, config=STRICT)
class Recall:
    """Copies of items that the stage plants and looks for, and texts that hold none."""

    items: Annotated[int, Field(ge=1)]  # of each benchmark, for each kind
    controls: Annotated[int, Field(ge=1)]
    document_words: Annotated[int, Field(ge=20)]  # of controls, and of what a copy stands in
    edits: Annotated[float, Field(gt=0, lt=1)]  # share of the words that are changed, at least 1
    seed: int
    expectations: tuple[Expectation, ...]  # of the data set of kinds: kind, recall


@dataclass(frozen=True, config=STRICT)
class Decontaminate:
    """What counts as an overlap with a benchmark item, the same for every corpus."""

    action: Literal["remove", "flag"]
    ngram_words: Annotated[int, Field(ge=2)]  # consecutive normalised words that overlap
    long_words: int  # a run of so many is enough by itself
    share: Annotated[float, Field(gt=0, le=1)]  # of a text's n-grams from which it is there
    common_items: Annotated[int, Field(ge=1)]  # runs that more items of a benchmark have are none's
    edited: Edited
    short: Short
    programs: Programs
    report_only: tuple[str, ...]  # benchmarks (globs) that are counted and never removed
    recall: Recall
    expectations: tuple[Expectation, ...]  # of data set documents: id, source, characters

    @model_validator(mode="after")
    def _in_order(self) -> "Decontaminate":
        if not self.short.least_words <= self.ngram_words <= self.long_words:
            raise ValueError(
                f"short.least_words={self.short.least_words}, ngram_words={self.ngram_words}, "
                f"long_words={self.long_words}: expected each at least the one before"
            )
        if self.edited.seed_words > self.short.least_words:
            raise ValueError(
                f"edited.seed_words={self.edited.seed_words}: expected at most "
                f"short.least_words={self.short.least_words}"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class DedupByCorpus:
    """One section per corpus, so that a value for the web touches the web alone."""

    books: Dedup
    code: Dedup
    web: Dedup


@dataclass(frozen=True, config=STRICT)
class Clean:
    """Deduplication and decontamination."""

    dedup: DedupByCorpus
    decontaminate: Decontaminate
