"""Stage `dedup@CORPUS`: one copy of each text, within the corpus and across those above it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import shards
from hornbook.clean.buckets import (
    MEETING_BYTES,
    RANGE,
    compare,
    find_buckets,
    find_copies,
    meetings,
)
from hornbook.clean.config import Dedup
from hornbook.clean.documents import count_rows, document_frame, write_without_rows
from hornbook.clean.near import Decision, jaccard
from hornbook.clean.removed import Gone, joined, write_removed
from hornbook.clean.signed import Sets, Signed, sign
from hornbook.compute import Done, Shard, map_shards
from hornbook.stage import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OWN = {"books": "books/corpus", "code": "code/filtered", "web": "web/filtered"}
# a text is kept in the first corpus that has it
PRIORITY = ("books", "code", "web")
SLICE_KEYS = 2**21  # that are sorted at once, which takes about 100 bytes each
MAX_BITS = 16


def dedup(run: Run) -> None:
    """Drop exact copies, then near ones; every drop names the document that is kept."""
    corpus = run.instance or ""
    settings = run.section(f"clean.dedup.{corpus}", Dedup)
    higher = PRIORITY[: PRIORITY.index(corpus)]
    folders = {name: run.input(f"artifacts/clean/dedup/{name}") for name in higher}
    folders[corpus] = run.input(f"artifacts/{OWN[corpus]}")
    parts = [(name, file) for name, folder in folders.items() for file in shards(folder)]

    signed = signed_shards(run, parts, corpus, settings)
    gone = find_gone(run, signed, settings)
    num_own = signed.starts[-1] - signed.first_own
    run.log(f"{len(gone.documents):,} of {num_own:,} documents are copies")

    against = write_removed(run.out / "removed.parquet", gone, signed, parts)
    write_without_rows(run, folders[corpus], rows_by_part(gone, signed))
    frame = document_frame(run.out)
    run.expect("documents", frame, settings.expectations, "id")
    reasons = {"exact": int(gone.is_exact.sum()), "near": int((~gone.is_exact).sum())}
    run.summary(
        rows=num_own - len(gone.documents),
        duplicate_rate=round(len(gone.documents) / max(num_own, 1), 6),
        words=int(sum(frame["words"])),
        dropped={reason: count for reason, count in reasons.items() if count},
        dropped_against=dict(sorted(against.items())),
    )


def signed_shards(run: Run, parts: list[tuple[str, Path]], corpus: str, settings: Dedup) -> Signed:
    """Digests, keys and sets of the documents of all parts; those of `corpus` are the last."""
    keys = sum(count_rows(file) for _, file in parts) * settings.bands
    bits = min(max(0, (keys - 1) // SLICE_KEYS).bit_length(), MAX_BITS)
    done = map_shards(
        run,
        "signing",
        partial(sign, settings=settings, bits=bits),
        [Shard(f"{name}-{file.stem}", str(file), file.stat().st_size) for name, file in parts],
    )
    return Signed.of(done, sum(name != corpus for name, _ in parts), bits)


def find_gone(run: Run, signed: Signed, settings: Dedup) -> Gone:
    """Exact copies go first; then near ones, compared in parallel and decided in their order."""
    import numpy as np

    copied = map_shards(
        run, "finding copies", partial(find_copies, signed=signed), slices(signed, 16)
    )
    copies = np.concatenate(
        [np.fromfile(one.folder / "copies.i64", np.int64).reshape(-1, 2) for one in copied]
    )
    is_copy = np.zeros(signed.starts[-1], dtype=np.uint8)
    is_copy[copies[:, 0]] = 1
    mask = run.pending / "is_copy.u8"
    is_copy.tofile(mask)

    find = partial(find_buckets, signed=signed, copies=str(mask.absolute()))
    found = map_shards(run, "finding buckets", find, slices(signed, 8 * settings.bands))
    decision = decide(run, signed, found, settings)
    return joined(copies[copies[:, 0] >= signed.first_own], decision.removed)


def slices(signed: Signed, bytes_each: int) -> list[Shard]:
    """A shard of work for each slice of keys; `bytes_each` are those of a document."""
    count = 2**signed.bits
    size = signed.starts[-1] * bytes_each // count
    return [Shard(f"{number:05d}", number, size) for number in range(count)]


def decide(run: Run, signed: Signed, found: list[Done], settings: Dedup) -> Decision:
    """Decisions on all documents that share a band key with an earlier one."""
    folders = [str(one.folder) for one in found]
    num_ranges = -(-signed.starts[-1] // RANGE)
    num_bytes = MEETING_BYTES * sum(one.facts["meetings"] for one in found)
    compared = map_shards(
        run,
        "comparing",
        partial(compare, signed=signed, slices=folders, settings=settings),
        [Shard(f"{n:06d}", n, num_bytes // num_ranges) for n in range(num_ranges)],
    )
    with Sets(signed) as sets:

        def similarity(left: int, right: int) -> float:
            return jaccard(sets(left), sets(right), at_least=settings.threshold)

        decision = Decision(similarity, signed.starts[-1], signed.first_own, settings)
        with run.progress(
            sum(one.facts["meetings"] for one in compared), "meetings", "deciding"
        ) as bar:
            for document, listed in meetings(compared):
                decision.decide(document, listed)
                bar.advance(len(listed))
    return decision


def rows_by_part(gone: Gone, signed: Signed) -> "list[NDArray[np.int64]]":
    """The rows that go of each part of the own corpus."""
    import numpy as np

    starts = signed.bounds[signed.num_higher :]
    places = np.searchsorted(gone.documents, starts)
    return [
        gone.documents[places[part] : places[part + 1]] - starts[part]
        for part in range(len(starts) - 1)
    ]
