"""Near-duplicates: MinHash signatures, keys of their bands, true similarity, and who stays."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hornbook.clean.config import Dedup
from hornbook.clean.words import Hashed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def signatures(sets: Hashed, settings: Dedup) -> "NDArray[np.uint32]":
    """MinHash signatures, [documents, bands * rows]."""
    import numpy as np
    from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] - has no stubs

    slots = settings.bands * settings.rows
    if len(sets.offsets) == 1:
        return np.empty((0, slots), dtype=np.uint32)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        sets.hashes, sets.offsets.astype(np.uint64), num_perm=slots, seed=settings.seed
    )
    return np.array(matrix.to_rows(), dtype=np.uint32)


def band_keys(found: "NDArray[np.uint32]", settings: Dedup) -> "NDArray[np.uint64]":
    """One key per document and band, [documents, bands]; keys of different bands differ too."""
    import numpy as np

    grouped = found.reshape(len(found), settings.bands, settings.rows).astype(np.uint64)
    keys = np.tile(
        np.arange(1, settings.bands + 1, dtype=np.uint64) << np.uint64(32), (len(found), 1)
    )
    for row in range(settings.rows):
        keys = (keys ^ grouped[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
    return keys


def jaccard(
    left: "NDArray[np.uint64]", right: "NDArray[np.uint64]", *, at_least: float = 0.0
) -> float:
    """Similarity of two sorted sets; 0 where their sizes alone put it below `at_least`."""
    import numpy as np

    if min(len(left), len(right)) < at_least * max(len(left), len(right)):
        return 0.0
    both = np.concatenate((left, right))
    both.sort()
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


@dataclass(frozen=True)
class Meeting:
    """A document in a bucket, that is among all documents that share the key of one band.

    `first` is the first document of the bucket, `similarity` that to it, or 0 where it is below
    the threshold. The first document of a bucket has no meeting there.
    """

    first: int
    bucket: int
    is_last: bool
    similarity: float


@dataclass
class Removed:
    """Removed documents in their order, the kept one that each repeats, how similar they are."""

    documents: "array[int]" = field(default_factory=lambda: array("q"))
    kept: "array[int]" = field(default_factory=lambda: array("q"))
    similarities: "array[float]" = field(default_factory=lambda: array("d"))


class Decision:
    """Which documents stay, decided one after another.

    A document goes when it is similar to an earlier one that stays; of several the most similar is
    named, of equally similar ones the first. So a removed document removes no other, and every
    removal is explained by a text that is still there. Documents before `first_own` all stay.

    A bucket remembers its first document and `compared` more that stay. Of those that its buckets
    remember, a document is compared with each bucket's first one and with the `compared` others
    that share most buckets with it. So the cost is linear, however many share a template.
    """

    def __init__(
        self,
        similarity: Callable[[int, int], float],
        num_documents: int,
        first_own: int,
        settings: Dedup,
    ) -> None:
        self.removed = Removed()
        self._similarity = similarity
        self._first_own = first_own
        self._threshold = settings.threshold
        self._compared = settings.compared
        self._stays = bytearray(b"\1") * num_documents
        self._others: dict[int, list[int]] = {}  # of a bucket: who stays, but for its first one

    def decide(self, document: int, meetings: Sequence[Meeting]) -> None:
        """Decide on the next document that has meetings."""
        best: tuple[float, int] | None = None
        if document >= self._first_own:
            best = max(self._similar(document, meetings), default=None)
        if best is not None:
            self.removed.documents.append(document)
            self.removed.kept.append(-best[1])
            self.removed.similarities.append(best[0])
            self._stays[document] = 0
        for meeting in meetings:
            if meeting.is_last:
                self._others.pop(meeting.bucket, None)
            elif best is None:
                others = self._others.setdefault(meeting.bucket, [])
                if len(others) < self._compared:
                    others.append(document)

    def _similar(self, document: int, meetings: Sequence[Meeting]) -> Iterable[tuple[float, int]]:
        """Similarity and negative number of each similar document that stays."""
        firsts: set[int] = set()
        shared: Counter[int] = Counter()
        for meeting in meetings:
            if meeting.first not in firsts:
                firsts.add(meeting.first)
                if meeting.similarity and self._stays[meeting.first]:
                    yield meeting.similarity, -meeting.first
            shared.update(self._others.get(meeting.bucket, ()))
        others = (other for other in shared if other not in firsts)
        for other in sorted(others, key=lambda one: (-shared[one], one))[: self._compared]:
            similarity = self._similarity(document, other)
            if similarity >= self._threshold:
                yield similarity, -other
