"""What deduplication removed, and `removed.parquet`, which explains it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_table
from hornbook.clean.near import Removed
from hornbook.clean.signed import Signed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class Gone:
    """Removed documents in their order; the kept one of each, how similar, whether all the same."""

    documents: "NDArray[np.int64]"
    kept: "NDArray[np.int64]"
    similarities: "NDArray[np.float64]"
    is_exact: "NDArray[np.bool_]"


def joined(copies: "NDArray[np.int64]", near: Removed) -> Gone:
    """Copies (copy, first) and near-duplicates in one order.

    A copy of a removed text is explained by what that one repeats: that is still there.
    """
    import numpy as np

    # one more at the end, for those that are beyond all of them
    documents = np.append(np.array(near.documents, dtype=np.int64), -1)
    kept = np.append(np.array(near.kept, dtype=np.int64), -1)
    similarities = np.append(np.array(near.similarities, dtype=np.float64), 0)
    at = np.searchsorted(documents[:-1], copies[:, 1])
    is_near = documents[at] == copies[:, 1]
    both = np.concatenate((documents[:-1], copies[:, 0]))
    order = np.argsort(both)
    return Gone(
        both[order],
        np.concatenate((kept[:-1], np.where(is_near, kept[at], copies[:, 1])))[order],
        np.concatenate((similarities[:-1], np.where(is_near, similarities[at], 1)))[order],
        np.concatenate((np.zeros(len(kept) - 1, dtype=bool), ~is_near))[order],
    )


def write_removed(
    file: Path, gone: Gone, signed: Signed, parts: Sequence[tuple[str, Path]]
) -> dict[str, int]:
    """One row per removed document: what it repeats, how much, and why; counts by kept corpus.

    `parts` are corpus and file of each signed shard.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("id", "kept_id", "kept_corpus", "similarity", "reason")
    schema = pa.schema(
        [(name, pa.float64() if name == "similarity" else pa.string()) for name in names]
    )
    files = [path for _, path in parts]
    corpora = pa.array([name for name, _ in parts])
    kept, which = np.unique(gone.kept, return_inverse=True)
    kept_ids = ids_of(kept, signed, files)
    shard_of = np.searchsorted(signed.bounds, kept, side="right") - 1
    reasons = pa.array(["near", "exact"])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for start in range(0, max(len(which), 1), ROWS_AT_ONCE):
            here = slice(start, start + ROWS_AT_ONCE)
            columns = [
                ids_of(gone.documents[here], signed, files),
                kept_ids.take(pa.array(which[here])),
                corpora.take(pa.array(shard_of[which[here]])),
                pa.array(gone.similarities[here]),
                reasons.take(pa.array(gone.is_exact[here].astype(np.int64))),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    counts = np.bincount(shard_of[which], minlength=len(parts)).tolist()
    by_corpus: dict[str, int] = {}
    for (name, _), count in zip(parts, counts, strict=True):
        if count:
            by_corpus[name] = by_corpus.get(name, 0) + count
    return by_corpus


def ids_of(
    documents: "NDArray[np.int64]", signed: Signed, files: Sequence[Path]
) -> "pa.ChunkedArray":
    """The ids of documents, which are in their order."""
    import numpy as np
    import pyarrow as pa

    chunks: list[pa.Array] = []
    places = np.searchsorted(documents, signed.bounds)
    for shard in np.flatnonzero(np.diff(places)).tolist():
        rows = documents[places[shard] : places[shard + 1]] - signed.starts[shard]
        ids = read_table(files[shard], ["id"]).column("id").take(pa.array(rows))
        chunks += ids.cast(pa.string()).chunks
    return pa.chunked_array(chunks, type=pa.string())
