"""Which domain each window of a corpus is of: the one that most of its tokens are of.

The index of the tokens says where each document is, the clean corpus says what it is of; both list
the documents in the same order and are read side by side, so that memory holds one byte a window
and the documents of one shard.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import shards
from hornbook.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

OTHER = "other"
_INDEX = ["id", "length", "split"]
_BATCH_DOCUMENTS = 1 << 16
_BLOCK_WINDOWS = 1 << 16
_MOST_COUNTED = 1 << 16  # names, of those met so far the ones with most tokens
# the host of a URL; no character that the head of a column or a metric may not have; some length;
# a name that is taken
_PLAIN = (
    (r"^[A-Za-z][A-Za-z+.-]*://(?:[^/@]*@)?(?:www\.)?([^/:?#]*).*$", r"\1"),
    (r"[^\w.\- ]", "_"),
    (r"^(.{80}).*$", r"\1"),
    (r"^\s*$", "unknown"),
    (f"^{OTHER}$", f"{OTHER}_"),
)


@dataclass(frozen=True)
class SourceDomains:
    """The domains of one source: their names, and by split an index into them for each window."""

    names: tuple[str, ...]
    windows: "Mapping[str, NDArray[np.uint8]]"


def source_domains(
    tokens: Path, documents: Path, *, column: str, most: int, context_tokens: int
) -> SourceDomains:
    """The domains of a token folder, from `column` of the clean corpus that it was made from.

    The `most` with most tokens have a name of their own, what is left is `other`; a domain that is
    called so itself becomes `other_`. Of a URL the host counts.

    Raises:
        ConfigError: The corpus has no such column.
        ArtifactError: Tokens and documents are not of one corpus.
    """
    import pyarrow as pa

    counted = Counter[str]()
    for values, index in _side_by_side(tokens, documents, column):
        grouped = pa.table({"name": values, "tokens": index["length"]}).group_by("name")
        sums = grouped.aggregate([("tokens", "sum")])
        counted.update(
            dict(zip(*(sums[c].to_pylist() for c in ("name", "tokens_sum")), strict=True))
        )
        if len(counted) > 2 * _MOST_COUNTED:
            counted = Counter(dict(_ranked(counted)[:_MOST_COUNTED]))
    names = sorted(name for name, _ in _ranked(counted)[:most])
    if len(counted) > len(names):
        names.append(OTHER)
    return SourceDomains(tuple(names), _windows(tokens, documents, column, names, context_tokens))


def _ranked(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))


def _windows(
    tokens: Path, documents: Path, column: str, names: Sequence[str], context_tokens: int
) -> "dict[str, NDArray[np.uint8]]":
    import pyarrow as pa
    import pyarrow.compute as pc

    streams = {split: _Stream(context_tokens) for split in ("train", "heldout")}
    known = pc.SetLookupOptions(value_set=pa.array(names))
    for values, index in _side_by_side(tokens, documents, column):
        codes = pc.fill_null(pc.call_function("index_in", [values], known), len(names) - 1)
        for split, stream in streams.items():
            chosen = pc.call_function("equal", [index["split"], split])
            stream.add(index["length"].filter(chosen), codes.filter(chosen))
    return {split: stream.codes() for split, stream in streams.items()}


class _Stream:
    """Codes of the windows of one split, as its documents come in their order."""

    def __init__(self, context_tokens: int) -> None:
        import numpy as np

        self.context_tokens = context_tokens
        self.tokens = self._closed = 0
        self._found: list[NDArray[np.uint8]] = []
        # where each document begins, and what it is of, from the last closed window on
        self._open = np.zeros((2, 0), dtype=np.int64)

    def add(self, lengths: "pa.Array", codes: "pa.Array") -> None:
        """Some more documents."""
        import numpy as np

        ends = self.tokens + np.cumsum(lengths.to_numpy(), dtype=np.int64)
        if not len(ends):
            return
        begins = np.concatenate([[self.tokens], ends[:-1]])
        self._open = np.concatenate([self._open, np.stack([begins, codes.to_numpy()])], axis=1)
        self.tokens = int(ends[-1])
        base, count = self._closed * self.context_tokens, self.tokens // self.context_tokens
        self._found.append(
            window_codes(
                self._open[0] - base,
                self._open[1],
                self.tokens - base,
                count - self._closed,
                self.context_tokens,
            )
        )
        self._closed = count
        begun = np.searchsorted(self._open[0], count * self.context_tokens, side="right")
        self._open = self._open[:, max(0, int(begun) - 1) :]

    def codes(self) -> "NDArray[np.uint8]":
        """One for each window that `Windows` has."""
        import numpy as np

        count = max(0, self.tokens - 1) // self.context_tokens
        return np.concatenate([np.zeros(0, dtype=np.uint8), *self._found])[:count]


def window_codes(
    offsets: "NDArray[np.int64]",
    codes: "NDArray[np.int64]",
    tokens: int,
    count: int,
    context_tokens: int,
) -> "NDArray[np.uint8]":
    """The code of most tokens of each of `count` windows; the lowest of those that tie.

    Args:
        offsets: Where each document begins, rising; the first may begin before the windows do.
        codes: What each document is of.
        tokens: Where the last document ends.
        count: How many windows there are.
        context_tokens: Tokens of a window.
    """
    import numpy as np

    kinds = int(codes.max()) + 1
    found = np.empty(count, dtype=np.uint8)
    for first in range(0, count, _BLOCK_WINDOWS):
        last = min(first + _BLOCK_WINDOWS, count)
        begin, end = first * context_tokens, min(last * context_tokens, tokens)
        inside = offsets[(offsets > begin) & (offsets < end)]
        cuts = np.unique(np.concatenate([inside, np.arange(first, last) * context_tokens]))
        lengths = np.diff(np.append(cuts, end))
        code = codes[np.searchsorted(offsets, cuts, side="right") - 1]
        cell = (cuts // context_tokens - first) * kinds + code
        table = np.bincount(cell, weights=lengths, minlength=(last - first) * kinds)
        found[first:last] = table.reshape(last - first, kinds).argmax(1)
    return found


def _side_by_side(
    tokens: Path, documents: Path, column: str
) -> "Iterator[tuple[pa.Array, pa.RecordBatch]]":
    """The domain of each document beside its rows of the index, some documents at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    read = _documents(documents, column)
    rest = pa.table({"id": pa.array([], "string"), "domain": pa.array([], "string")})
    for place in shards(tokens, "index"):
        with pq.ParquetFile(place) as file:
            for index in file.iter_batches(_BATCH_DOCUMENTS, columns=_INDEX):
                while rest.num_rows < index.num_rows and (more := next(read, None)) is not None:
                    rest = pa.concat_tables([rest, more])
                now = rest.slice(0, index.num_rows).combine_chunks()
                rest = rest.slice(index.num_rows)
                if not now["id"].combine_chunks().equals(index["id"]):
                    raise ArtifactError(
                        f"{place} and {documents} do not list the same documents in the same "
                        f"order; run: dvc repro tokens@{tokens.name}"
                    )
                yield now["domain"].combine_chunks(), index


def _documents(documents: Path, column: str) -> "Iterator[pa.Table]":
    """Id and domain of the documents of a clean corpus, some at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for part in shards(documents):
        with pq.ParquetFile(part) as file:
            if column not in file.schema_arrow.names:
                raise ConfigError(
                    f"train.curve.domains.columns.{documents.name}={column}: {documents} has no "
                    f"such column; it has {', '.join(file.schema_arrow.names)}"
                )
            for batch in file.iter_batches(_BATCH_DOCUMENTS, columns=["id", column]):
                names = pc.fill_null(pc.cast(batch.column(column), "string"), "")
                for pattern, replacement in _PLAIN:
                    options = pc.ReplaceSubstringOptions(pattern, replacement)
                    names = pc.call_function("replace_substring_regex", [names], options)
                yield pa.table({"id": pc.cast(batch.column("id"), "string"), "domain": names})
