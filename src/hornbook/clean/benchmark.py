"""Benchmark items as runs of words, and where a corpus overlaps with them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from hornbook.clean.config import Decontaminate
from hornbook.clean.words import WordHashes, runs, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class Item:
    """A benchmark item.

    `found` are those of its n-grams, numbered from 0, that the corpus has; it is `short` when none
    of its texts has a whole n-gram.
    """

    benchmark: str
    item_id: str
    report_only: bool
    ngrams: int = 0
    short: bool = True
    found: set[int] = field(default_factory=set[int])


@dataclass(frozen=True)
class Hit:
    """A run of words of a document that an item has: which n-gram, where, how many words."""

    gram: int
    place: int
    length: int


class Overlap:
    """The n-grams of all items, looked up in documents.

    An item with several texts (question, choices, solution) is all of them. A text shorter than an
    n-gram is one n-gram of its own length: it overlaps when a document has all of it in one piece.
    Texts below `short_item_words` are not looked for, because a phrase of so few words is found
    anywhere; an item that has no longer one is counted in `unchecked`.
    """

    def __init__(
        self, texts: Iterable[tuple[str, str, str]], settings: Decontaminate, hashes: WordHashes
    ) -> None:
        import numpy as np

        self.items: dict[tuple[str, str], Item] = {}
        self._owners: dict[int, list[tuple[Item, int]]] = {}
        by_length: dict[int, set[int]] = defaultdict(set)
        for benchmark, item_id, text in texts:
            item = self._item(benchmark, item_id, settings)
            found = hashes(words(text))
            length = min(len(found), settings.ngram_words)
            if length < settings.short_item_words:
                continue
            item.short = item.short and length < settings.ngram_words
            for gram in runs(found, length).tolist():
                by_length[length].add(gram)
                self._owners.setdefault(gram, []).append((item, item.ngrams))
                item.ngrams += 1
        self._grams = {
            length: np.array(sorted(by_length[length]), dtype=np.uint64)
            for length in sorted(by_length, reverse=True)
        }

    def _item(self, benchmark: str, item_id: str, settings: Decontaminate) -> Item:
        key = (benchmark, item_id)
        if key not in self.items:
            only = any(fnmatchcase(benchmark, glob) for glob in settings.report_only)
            self.items[key] = Item(benchmark, item_id, only)
        return self.items[key]

    @property
    def unchecked(self) -> int:
        """Items that have no text long enough to look for."""
        return sum(1 for item in self.items.values() if not item.ngrams)

    def hits(self, hashes: "Sequence[NDArray[np.uint64]]") -> list[list[Hit]]:
        """The shared runs of each document, longest first, then in their order."""
        import numpy as np

        lengths = np.array([len(one) for one in hashes], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        flat = np.concatenate([*hashes, np.empty(0, dtype=np.uint64)])
        owner = np.repeat(np.arange(len(hashes)), lengths)
        hits: list[list[Hit]] = [[] for _ in hashes]
        for length, grams in self._grams.items():
            found = runs(flat, length)
            near = np.searchsorted(grams, found).clip(max=len(grams) - 1)
            same = np.flatnonzero(grams[near] == found)
            # a run must not reach over the end of its document
            for place in same[owner[same] == owner[same + length - 1]].tolist():
                document = int(owner[place])
                hits[document].append(Hit(int(found[place]), place - int(starts[document]), length))
        return hits

    def removing(self, hits: Iterable[Hit]) -> tuple[Hit, Item] | None:
        """The first hit of an item that is not only reported, and that item."""
        for hit in hits:
            for item, _ in self._owners[hit.gram]:
                if not item.report_only:
                    return hit, item
        return None

    def count(self, grams: Iterable[int]) -> None:
        """These n-grams are in documents that stay."""
        for gram in grams:
            for item, position in self._owners[gram]:
                item.found.add(position)

    def rows(self) -> list[dict[str, Any]]:
        """Rows of `overlap.parquet`, one for each item."""
        return [
            {
                "benchmark": item.benchmark,
                "item_id": item.item_id,
                "report_only": item.report_only,
                "ngrams": item.ngrams,
                "overlapping": len(item.found),
                "positions": sorted(item.found),
                "short": item.short,
            }
            for _, item in sorted(self.items.items())
        ]
