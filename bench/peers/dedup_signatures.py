"""Memory of bringing N synthetic signatures together: FOLDER N; prints a JSON object.

Digests, band keys and sets are random, written in the form in which the stage signs its parts;
one document in ten is a near copy of an earlier one (half of its band keys are equal), one in a
hundred an exact copy. From there on it is the stage itself.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from hornbook.clean.config import Clean, Dedup
from hornbook.clean.dedup import MAX_BITS, SLICE_KEYS, find_gone
from hornbook.clean.signed import Signed, write_slices
from hornbook.compute import Place, Shard, map_shards
from tests.made_run import conf, made_run

ROWS = 20_000  # documents of a part
WORDS = 40  # shingles of a document


def write_part(number: int, place: Place, *, settings: Dedup, bits: int) -> dict[str, Any]:
    """The files of one part; copies are of documents of the same place in the part before."""
    draw = np.random.default_rng(number)
    sets, keys, digests = made(number, settings)
    if number:
        before, before_keys, before_digests = made(number - 1, settings)
        near = draw.choice(ROWS, ROWS // 10, replace=False)
        sets[near] = before[near]
        sets[near, :2] = draw.integers(0, 2**63, (len(near), 2), dtype=np.uint64)  # similar by .9
        half = settings.bands // 2
        keys[near, :half] = before_keys[near, :half]
        exact = near[: ROWS // 100]
        digests[exact] = before_digests[exact]
    sets.sort(axis=1)
    sets.tofile(place.folder / "sets.u64")
    (np.arange(ROWS + 1, dtype=np.int64) * WORDS).tofile(place.folder / "set_offsets.i64")
    rows = np.arange(ROWS)
    write_slices(place.folder, "digests", digests, rows, bits)
    write_slices(place.folder, "keys", keys.reshape(-1, 1), np.repeat(rows, settings.bands), bits)
    return {"rows": ROWS}


def made(number: int, settings: Dedup) -> tuple[Any, Any, Any]:
    """Sets, keys and digests of a part before it has copies."""
    draw = np.random.default_rng([number, 1])
    return (
        draw.integers(0, 2**63, (ROWS, WORDS), dtype=np.uint64),
        draw.integers(0, 2**64, (ROWS, settings.bands), dtype=np.uint64),
        draw.integers(0, 2**64, (ROWS, 2), dtype=np.uint64),
    )


def main(folder: Path, count: int) -> None:
    """Write the parts, find what goes."""
    settings = TypeAdapter(Clean).validate_python(conf("clean", "laptop")).dedup.web
    # one process does it all, so that its peak is at least that of any process of several
    run = made_run(folder, "dedup@web", reads=[], params={}, workers=1)
    bits = min(max(0, (count * settings.bands - 1) // SLICE_KEYS).bit_length(), MAX_BITS)
    parts = [Shard(f"{n:05d}", n, ROWS) for n in range(count // ROWS)]
    done = map_shards(run, "making", partial(write_part, settings=settings, bits=bits), parts)
    started = time.process_time()
    gone = find_gone(run, Signed.of(done, 0, bits), settings)
    print(
        json.dumps(
            {
                "documents": len(parts) * ROWS,
                "gone": len(gone.documents),
                "cpu_seconds": round(time.process_time() - started, 1),
                "rss_mb": getrusage(RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
