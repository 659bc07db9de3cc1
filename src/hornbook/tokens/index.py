"""From a place in the tokens of a corpus to its document and source record, and back."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.artifacts import read_json, read_table
from hornbook.errors import ArtifactError
from hornbook.tokens.windows import require_whole

if TYPE_CHECKING:
    import pyarrow as pa


class Piece(NamedTuple):
    """Tokens of one document: [first, last) of the `length` that it has, its end of text too."""

    id: str
    part: str  # of the clean corpus, and the row there
    row: int
    split: str
    shard: str
    position: int  # of the document's first token in its split's stream
    length: int
    first: int
    last: int


class Index:
    """The index of a token folder, one shard of it in memory at a time: the last one asked for."""

    def __init__(self, folder: Path) -> None:
        meta = read_json(folder / "meta.json")
        self.folder = folder
        self._begins: dict[str, int] = {}  # of each shard in its split's stream
        self._shards: list[dict[str, Any]] = meta["shards"]
        so_far: dict[str, int] = {}
        for shard in self._shards:
            begin = so_far.get(shard["split"], 0)
            self._begins[shard["file"]] = begin
            so_far[shard["split"]] = begin + shard["tokens"]
        self.tokens = so_far
        self._read: tuple[str, pa.Table] | None = None

    def pieces(self, split: str, start: int, end: int) -> Iterator[Piece]:
        """What of which document the tokens [start, end) of a split's stream are.

        Raises:
            ArtifactError: The index of a shard cannot be read.
        """
        import numpy as np

        for shard in self._shards:
            begin = self._begins[shard["file"]]
            if shard["split"] != split or not begin < end or start >= begin + shard["tokens"]:
                continue
            table = self._table(shard)
            ends = table.column("offset").to_numpy() + table.column("length").to_numpy()
            # an end is the first token that is no longer the document's
            first = int(np.searchsorted(ends, start - begin, side="right"))
            last = int(np.searchsorted(ends, end - begin, side="left"))
            for row in table.slice(first, last + 1 - first).to_pylist():
                piece = _piece(row, shard["file"], begin)
                at = piece.position
                yield piece._replace(first=max(0, start - at), last=min(piece.length, end - at))

    def find(self, document: str) -> Piece:
        """Where a document is, whole.

        Raises:
            ArtifactError: No shard has it.
        """
        import pyarrow.compute as pc

        for shard in self._shards:
            table = self._table(shard)
            found = table.filter(pc.call_function("equal", [table.column("id"), document]))
            if found.num_rows:
                return _piece(found.to_pylist()[0], shard["file"], self._begins[shard["file"]])
        raise ArtifactError(
            f"{self.folder} has no document {document!r}; dropped documents are not encoded, see "
            f"removed.parquet in artifacts/clean"
        )

    def _table(self, shard: dict[str, Any]) -> "pa.Table":
        """The rows of the split that a shard holds."""
        import pyarrow.compute as pc

        if self._read is None or self._read[0] != shard["file"]:
            number = Path(shard["file"]).stem.rpartition("-")[2]
            table = read_table(self.folder / f"index-{number}.parquet")
            is_own = pc.call_function("equal", [table.column("split"), shard["split"]])
            self._read = shard["file"], table.filter(is_own)
        return self._read[1]


def _piece(row: dict[str, Any], shard: str, begin: int) -> Piece:
    length = row["length"]
    return Piece(
        id=row["id"],
        part=row["part"],
        row=row["row"],
        split=row["split"],
        shard=shard,
        position=begin + row["offset"],
        length=length,
        first=0,
        last=length,
    )


def verify_shards(folder: Path) -> Iterator[int]:
    """Read every shard and compare it with its checksum; yields bytes as they are read.

    Raises:
        ArtifactError: One is damaged.
    """
    meta = read_json(folder / "meta.json")
    width = int(meta["dtype"][-1])
    for shard in meta["shards"]:
        file = folder / shard["file"]
        require_whole(file, shard["tokens"] * width)
        found = hashlib.sha256()
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                found.update(block)
                yield len(block)
        if found.hexdigest() != shard["sha256"]:
            raise ArtifactError(
                f"{file} is damaged: its checksum is {found.hexdigest()[:12]}, meta.json says "
                f"{shard['sha256'][:12]}; restore it with dvc checkout --force {folder}"
            )
