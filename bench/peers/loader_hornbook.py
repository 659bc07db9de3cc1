"""Draw batches of 8 sequences of 2,048 tokens from a token folder; batches, CPU seconds, memory.

loader_hornbook.py FOLDER STEPS
"""

import json
import sys
import time
from pathlib import Path

from hornbook.mixture.sampler import Sampler

SEQUENCES, CONTEXT = 8, 2048


def peak_mib() -> int:
    """Largest memory of this process; getrusage would count that of its parent."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    """Print one JSON object."""
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    sampler = Sampler(
        folder / "mixture", {"books": folder / "books"}, context_tokens=CONTEXT, seed=0
    )
    started, total = time.process_time(), 0
    for step in range(steps):
        total += int(sampler.batch(step, SEQUENCES)[0, 0])
    spent = time.process_time() - started
    print(json.dumps({"seconds": spent, "batches": steps, "rss_mib": peak_mib()}))


if __name__ == "__main__":
    main()
