"""Documents that share a digest or the key of a band, brought together slice by slice of keys."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hornbook.clean.config import Dedup
from hornbook.clean.near import Meeting, jaccard
from hornbook.clean.signed import Sets, Signed
from hornbook.compute import Done, Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEETING_BYTES = 24
RANGE = 2**14  # documents whose meetings are compared, and then held, at once


def find_copies(number: int, place: Place, *, signed: Signed) -> dict[str, Any]:
    """Write the pairs (copy, first document of that digest) of one slice, by the copy."""
    import numpy as np

    keys, documents = signed.slice("digests", number)
    some = _repeated(keys[:, 0])
    keys, documents = keys[some], documents[some]
    order = np.lexsort((documents, keys[:, 1], keys[:, 0]))
    keys, documents = keys[order], documents[order]
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    firsts = documents[is_first][np.cumsum(is_first) - 1]
    pairs = np.stack((documents, firsts), axis=1)[~is_first]
    pairs[np.argsort(pairs[:, 0])].tofile(place.folder / "copies.i64")
    return {}


def find_buckets(number: int, place: Place, *, signed: Signed, copies: str) -> dict[str, Any]:
    """Write the meetings of one slice: rows (document, first, bucket) by document.

    `copies` is a file with a byte for each document, not 0 where it is an exact copy: those are
    left out. The lowest bit of a bucket's number says that the document is the last one in it.
    """
    import numpy as np

    keys, documents = signed.slice("keys", number)
    if len(documents):
        is_copy = np.memmap(copies, dtype=np.uint8, mode="r")
        left = is_copy[documents] == 0
        keys, documents = keys[left, 0], documents[left]
    keys = keys.reshape(-1)
    some = _repeated(keys)
    keys, documents = keys[some], documents[some]
    order = np.lexsort((documents, keys))
    keys, documents = keys[order], documents[order]
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = keys[1:] != keys[:-1]
    is_last = np.ones(len(keys), dtype=bool)
    is_last[:-1] = is_first[1:]
    bucket = np.cumsum(is_first) - 1
    has_own = documents[is_last][bucket] >= signed.first_own
    rows = np.stack(
        (documents, documents[is_first][bucket], (np.int64(number) << 46) | bucket << 1 | is_last),
        axis=1,
    )[~is_first & has_own]
    rows = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    rows.tofile(place.folder / "meetings.i64")
    starts = np.arange(0, signed.starts[-1] + RANGE, RANGE)
    np.searchsorted(rows[:, 0], starts).astype(np.int64).tofile(place.folder / "bounds.i64")
    return {"meetings": len(rows)}


def _repeated(keys: "NDArray[np.uint64]") -> "NDArray[np.int64]":
    """Places of the keys that are there more than once."""
    import numpy as np

    order = np.argsort(keys)
    ordered = keys[order]
    same = np.zeros(len(keys) + 1, dtype=bool)
    same[1:-1] = ordered[1:] == ordered[:-1]
    return order[same[1:] | same[:-1]]


def compare(
    number: int, place: Place, *, signed: Signed, slices: list[str], settings: Dedup
) -> dict[str, Any]:
    """Write the meetings of one range of documents, from all slices, with their similarities."""
    import numpy as np

    parts = [np.empty((0, 3), dtype=np.int64)]
    for folder in slices:
        first, past = np.fromfile(f"{folder}/bounds.i64", np.int64, 2, offset=8 * number).tolist()
        if past > first:
            rows = np.fromfile(
                f"{folder}/meetings.i64", np.int64, 3 * (past - first), offset=MEETING_BYTES * first
            )
            parts.append(rows.reshape(-1, 3))
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    pairs, which = np.unique(rows[:, :2], axis=0, return_inverse=True)
    found = np.zeros(len(pairs), dtype=np.float64)
    own = np.flatnonzero(pairs[:, 0] >= signed.first_own)
    with Sets(signed) as sets:
        # by the first document, so that the files of one shard are read one after another
        for place_of in own[np.argsort(pairs[own, 1], kind="stable")].tolist():
            document, first = pairs[place_of].tolist()
            found[place_of] = jaccard(sets(document), sets(first), at_least=settings.threshold)
            place.advance(MEETING_BYTES)
    found[found < settings.threshold] = 0
    rows.tofile(place.folder / "meetings.i64")
    found[which.reshape(-1)].tofile(place.folder / "similarities.f64")
    return {"meetings": len(rows), "compared": len(own)}


def meetings(done: list[Done]) -> Iterator[tuple[int, list[Meeting]]]:
    """Each document that has meetings, and these, in the order of the documents."""
    import numpy as np

    for one in done:
        rows = np.fromfile(one.folder / "meetings.i64", np.int64).reshape(-1, 3)
        found = np.fromfile(one.folder / "similarities.f64", np.float64)
        listed = zip(*rows.T.tolist(), found.tolist(), strict=True)
        for document, group in groupby(listed, key=lambda row: row[0]):
            yield (
                document,
                [
                    Meeting(first, bucket >> 1, bool(bucket & 1), similarity)
                    for _, first, bucket, similarity in group
                ],
            )
