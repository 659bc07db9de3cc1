"""Stage `tokens@CORPUS`: a clean corpus as shards of token ids, each document traceable.

A shard is made of whole parts of the corpus, by itself: `tokens-K.bin` and `heldout-K.bin` hold
the ids of its documents in their order, `index-K.parquet` says which document lies where and in
which row of the clean corpus it stands.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_table, write_json, write_table
from hornbook.compute import Done, Place, Shard, map_shards
from hornbook.stage import Run
from hornbook.tokens.config import Shards
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.parts import Part, parts
from hornbook.tokens.shards import (
    SPLITS,
    SplitWriter,
    document_digest,
    heldout_below,
    heldout_hash,
    index_schema,
    token_dtype,
)

ROWS_AT_ONCE = 256
INDEX = "index"
_MIB = 1 << 20


def tokens(run: Run) -> None:
    """Encode every document, end it with the end of text, and keep some for evaluation loss."""
    settings = run.section("tokens.shards", Shards)
    found = parts(run.input(f"artifacts/clean/decontaminated/{run.instance}"))
    tokenizer = run.input("artifacts/tokens/tokenizer")
    encoder = Encoder.load(tokenizer)
    limit = heldout_below(
        _ids(found),
        count=sum(part.rows for part in found),
        fraction=settings.heldout_fraction,
        seed=settings.seed,
    )
    work = partial(
        encode_shard,
        tokenizer=str(tokenizer.absolute()),
        heldout_limit=limit,
        heldout_seed=settings.seed,
    )
    pieces = [
        Shard(f"{number:05d}", (number, group), sum(part.text_bytes for part in group))
        for number, group in enumerate(grouped(found, settings.shard_text_mib * _MIB))
    ]
    done = map_shards(run, "encoding", work, pieces)

    for one in done:
        for file in [*one.folder.glob("*.bin"), *one.folder.glob("*.parquet")]:
            (run.out / file.name).hardlink_to(file)  # the step's own stay until the stage ends
    meta = describe(encoder, done)
    _expect(run, settings, meta)
    write_json(run.out / "meta.json", meta)
    run.summary(
        rows=sum(split["documents"] for split in meta["splits"].values()),
        tokens=sum(split["tokens"] for split in meta["splits"].values()),
        splits=meta["splits"],
        shards=len(meta["shards"]),
    )


def _ids(found: Sequence[Part]) -> Iterator[str]:
    for part in found:
        yield from read_table(Path(part.file), ["id"]).column("id").to_pylist()


def grouped(found: Sequence[Part], text_bytes: int) -> list[list[Part]]:
    """Parts in their order, in groups that a part closes when it reaches `text_bytes`."""
    groups: list[list[Part]] = []
    held = text_bytes
    for part in found:
        if held >= text_bytes:
            groups.append([])
            held = 0
        groups[-1].append(part)
        held += part.text_bytes
    return groups


@cache
def _encoder(tokenizer: str) -> Encoder:
    """A worker builds it once, whatever the number of its shards."""
    return Encoder.load(Path(tokenizer))


def encode_shard(
    what: tuple[int, Sequence[Part]],
    place: Place,
    *,
    tokenizer: str,
    heldout_limit: int,
    heldout_seed: int,
) -> dict[str, Any]:
    """The files of one shard, and what `meta.json` says of them."""
    import pyarrow as pa

    number, group = what
    encoder = _encoder(tokenizer)
    dtype = token_dtype(encoder.vocab_size)
    writers = {
        split: SplitWriter(place.folder / f"{name}-{number:05d}.bin", dtype)
        for split, name in SPLITS.items()
    }
    rows: list[pa.RecordBatch] = []
    for part, first, batch in _batches(group):
        ids: list[str] = batch.column("id").to_pylist()
        encoded = encoder.encode_batch(batch.column("text").to_pylist())
        is_held = [heldout_hash(one, heldout_seed) < heldout_limit for one in ids]
        where: list[tuple[str, int, int]] = [("", 0, 0)] * len(ids)
        for split, writer in writers.items():
            chosen = [at for at, held in enumerate(is_held) if held == (split == "heldout")]
            if not chosen:
                continue
            added = writer.add((encoded[at] for at in chosen), encoder.eos)
            for at, (offset, length) in zip(chosen, added, strict=True):
                where[at] = (split, offset, length)
        columns = [
            ids,
            [Path(part.file).stem] * len(ids),
            range(first, first + len(ids)),
            *zip(*where, strict=True),
            [document_digest(one, tokens) for one, tokens in zip(ids, encoded, strict=True)],
        ]
        arrays = [
            pa.array(column, type=field.type)
            for column, field in zip(columns, index_schema(), strict=True)
        ]
        rows.append(pa.record_batch(arrays, schema=index_schema()))
        place.advance(part.text_bytes * len(ids) // part.rows)
    table = pa.Table.from_batches(rows, index_schema())
    write_table(place.folder / f"{INDEX}-{number:05d}.parquet", table)
    return {
        split: {"file": writer.file.name, "split": split, **writer.facts()}
        for split, writer in writers.items()
        if writer.documents
    }


def _batches(group: Sequence[Part]) -> "Iterator[tuple[Part, int, Any]]":
    """Rows of the parts, a few at a time, with the number of the first in its part."""
    import pyarrow.parquet as pq

    for part in group:
        first = 0
        with pq.ParquetFile(part.file) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["id", "text"]):
                if batch.num_rows:
                    yield part, first, batch
                first += batch.num_rows


def describe(encoder: Encoder, done: Sequence[Done]) -> dict[str, Any]:
    """What a reader of the shards needs, and the identity of their content.

    The identity of a split is that of its documents in their order, names and tokens: it is the
    same however they are cut into shards.
    """
    identities = {split: hashlib.sha256(encoder.sha256.encode()) for split in SPLITS}
    for one in done:
        (file,) = one.folder.glob(f"{INDEX}-*.parquet")
        table = read_table(file, ["split", "digest"])
        for split, digest in zip(*(column.to_pylist() for column in table.columns), strict=True):
            identities[split].update(digest)
    files: list[Mapping[str, Any]] = [
        one.facts[split] for split in SPLITS for one in done if split in one.facts
    ]
    splits: dict[str, dict[str, Any]] = {
        split: {
            "documents": sum(shard["documents"] for shard in files if shard["split"] == split),
            "tokens": sum(shard["tokens"] for shard in files if shard["split"] == split),
            "sha256": identities[split].hexdigest(),
        }
        for split in SPLITS
    }
    both = "".join(splits[split]["sha256"] for split in SPLITS)
    return {
        "dtype": token_dtype(encoder.vocab_size),
        "vocab_size": encoder.vocab_size,
        "eos": encoder.eos,
        "tokenizer": encoder.sha256,
        "shards": files,
        "splits": splits,
        "sha256": hashlib.sha256(both.encode()).hexdigest(),
    }


def _expect(run: Run, settings: Shards, meta: Mapping[str, Any]) -> None:
    """Gate the shards: a row of an index can be wrong only if its shard's sums are."""
    import pandas as pd

    names = ["file", "split", "documents", "tokens", "shortest", "longest"]
    frame = pd.DataFrame(meta["shards"], columns=names)
    run.expect("shards", frame, settings.expectations, "file")
