"""Stage `dedup@CORPUS`: one copy of each text, within the corpus and across those above it."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_documents, write_table
from hornbook.clean.config import Dedup
from hornbook.clean.documents import document_frame, write_without
from hornbook.clean.near import near_duplicates
from hornbook.clean.words import WordHashes, shingles, words
from hornbook.stage import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OWN = {"books": "books/corpus", "code": "code/filtered", "web": "web/filtered"}
# a text is kept in the first corpus that has it
PRIORITY = ("books", "code", "web")


@dataclass(frozen=True)
class Seen:
    """A document as deduplication needs it; `digest` is of its text without white space runs."""

    corpus: str
    id: str
    digest: bytes
    shingles: "NDArray[np.uint64]"


def dedup(run: Run) -> None:
    """Drop exact copies, then near ones; every drop names the document that is kept."""
    corpus = run.instance or ""
    settings = run.section(f"clean.dedup.{corpus}", Dedup)
    higher = PRIORITY[: PRIORITY.index(corpus)]
    folders = {name: run.input(f"artifacts/clean/dedup/{name}") for name in higher}
    folders[corpus] = run.input(f"artifacts/{OWN[corpus]}")

    seen: list[Seen] = []
    hashes = WordHashes()
    with run.progress(None, "documents", "reading") as bar:
        for name, folder in folders.items():
            for row in read_documents(folder, ["id", "text"]):
                seen.append(look_at(name, row, hashes, settings.shingle_words))
                bar.advance()
    own = [one.id for one in seen if one.corpus == corpus]
    removed = find_removed(seen, corpus, settings)
    run.log(f"{len(removed):,} of {len(own):,} documents are copies")

    write_removed(run.out / "removed.parquet", removed)
    gone = {row["id"] for row in removed}
    write_without(folders[corpus], gone, run.out)
    run.expect("documents", document_frame(run.out), settings.expectations, "id")
    run.summary(
        rows=len(own) - len(removed),
        duplicate_rate=round(len(removed) / max(len(own), 1), 6),
        dropped=dict(sorted(Counter(row["reason"] for row in removed).items())),
        dropped_against=dict(sorted(Counter(row["kept_corpus"] for row in removed).items())),
    )


def look_at(corpus: str, row: Mapping[str, Any], hashes: WordHashes, length: int) -> Seen:
    """What deduplication needs of a document."""
    text: str = row["text"]
    digest = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()
    return Seen(corpus, row["id"], digest, shingles(hashes(words(text)), length))


def find_removed(seen: list[Seen], corpus: str, settings: Dedup) -> list[dict[str, Any]]:
    """Rows of `removed.parquet` for the documents of `corpus`, the last corpus of `seen`."""
    first: dict[bytes, int] = {}
    exact: dict[int, int] = {}
    for number, one in enumerate(seen):
        kept = first.setdefault(one.digest, number)
        if kept != number and one.corpus == corpus:
            exact[number] = kept
    left = [number for number in range(len(seen)) if number not in exact]
    first_own = sum(1 for number in left if seen[number].corpus != corpus)
    matches = near_duplicates([seen[number].shingles for number in left], first_own, settings)
    near = {left[match.document]: (left[match.kept], match.similarity) for match in matches}
    # a copy of a removed text is explained by what that one repeats: that is still there
    copies = {number: near.get(kept, (kept, 1.0)) for number, kept in exact.items()}
    return [
        {
            "id": seen[number].id,
            "kept_id": seen[kept].id,
            "kept_corpus": seen[kept].corpus,
            "similarity": similarity,
            "reason": "exact" if number in exact and exact[number] == kept else "near",
        }
        for number, (kept, similarity) in sorted((near | copies).items())
    ]


def write_removed(file: Path, removed: list[dict[str, Any]]) -> None:
    """One row per removed document: what it repeats, how much, and why it went."""
    import pyarrow as pa

    names = ("id", "kept_id", "kept_corpus", "similarity", "reason")
    schema = pa.schema(
        [(name, pa.float64() if name == "similarity" else pa.string()) for name in names]
    )
    write_table(file, pa.Table.from_pylist(removed, schema=schema))
