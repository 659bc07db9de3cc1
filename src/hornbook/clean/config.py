"""Schema of `clean`."""

from pydantic import model_validator
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
class Decontaminate:
    """What counts as an overlap with a benchmark item, the same for every corpus."""

    ngram_words: int  # consecutive normalised words that overlap
    short_item_words: int  # items shorter than an n-gram are matched whole down to this length
    report_only: tuple[str, ...]  # benchmarks (globs) that are counted and never removed
    expectations: tuple[Expectation, ...]  # of data set documents: id, source, characters

    @model_validator(mode="after")
    def _short_is_shorter(self) -> "Decontaminate":
        if not 1 <= self.short_item_words <= self.ngram_words:
            raise ValueError(
                f"short_item_words={self.short_item_words}: expected 1 to "
                f"ngram_words={self.ngram_words}"
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
