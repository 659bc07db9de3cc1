"""Stage `tokens@CORPUS`: a clean corpus as shards of token ids, each document traceable."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table, shards, write_json, write_table
from hornbook.stage import Run
from hornbook.tokens.config import Shards
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.shards import ShardWriter, heldout_ids, token_dtype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIXES = {"train": "tokens", "heldout": "heldout"}


def tokens(run: Run) -> None:
    """Encode every document, end it with the end of text, and keep some for evaluation loss."""
    corpus = run.instance
    settings = run.section("tokens.shards", Shards)
    documents = run.input(f"artifacts/clean/decontaminated/{corpus}")
    encoder = Encoder.load(run.input("artifacts/tokens/tokenizer"))

    ids: list[str] = read_table(documents, ["id"]).column("id").to_pylist()
    heldout = heldout_ids(ids, fraction=settings.heldout_fraction, seed=settings.seed)
    dtype = token_dtype(encoder.vocab_size)
    writers = {
        split: ShardWriter(run.out, split, prefix, dtype, settings.shard_tokens, encoder.eos)
        for split, prefix in PREFIXES.items()
    }
    index: list[dict[str, Any]] = []
    with run.progress(len(ids), "documents", "encoding") as bar:
        for one, encoded in _encoded(documents, encoder, run.runtime.workers):
            writer = writers["heldout" if one in heldout else "train"]
            index.append({"id": one, **writer.add(encoded)})
            bar.advance()
    for writer in writers.values():
        writer.close()

    _write_index(run, settings, index)
    meta = describe(encoder, dtype, writers)
    write_json(run.out / "meta.json", meta)
    run.summary(
        rows=len(index),
        tokens=sum(split["tokens"] for split in meta["splits"].values()),
        splits=meta["splits"],
        shards=len(meta["shards"]),
    )


def describe(encoder: Encoder, dtype: str, writers: dict[str, ShardWriter]) -> dict[str, Any]:
    """What a reader of the shards needs, and the identity of their content."""
    files = [shard for split in sorted(writers) for shard in writers[split].shards]
    content = "\n".join(f"{shard['file']} {shard['sha256']}" for shard in files)
    return {
        "dtype": dtype,
        "vocab_size": encoder.vocab_size,
        "eos": encoder.eos,
        "tokenizer": encoder.sha256,
        "shards": files,
        "splits": {
            split: {
                "documents": writer.documents,
                "tokens": sum(shard["tokens"] for shard in writer.shards),
            }
            for split, writer in writers.items()
        },
        "sha256": hashlib.sha256(f"{encoder.sha256}\n{content}".encode()).hexdigest(),
    }


def _encoded(
    documents: Path, encoder: Encoder, workers: int
) -> "Iterator[tuple[str, NDArray[np.uint32]]]":
    for shard in shards(documents):
        table = read_table(shard, ["id", "text"])
        texts: list[str] = table.column("text").to_pylist()
        encoded = encoder.encode_batch(texts, workers)
        yield from zip(table.column("id").to_pylist(), encoded, strict=True)


def _write_index(run: Run, settings: Shards, index: list[dict[str, Any]]) -> None:
    import pandas as pd
    import pyarrow as pa

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("shard", pa.string()),
            ("offset", pa.int64()),
            ("length", pa.int64()),
            ("split", pa.string()),
        ]
    )
    write_table(run.out / "index.parquet", pa.Table.from_pylist(index, schema=schema))
    frame = pd.DataFrame(index, columns=schema.names)
    run.expect("index", frame, settings.expectations, "id")
