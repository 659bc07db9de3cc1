"""What the loaders of the peers have in common: a timed pass over their batches."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SEQUENCES, CONTEXT = 8, 2048


def measure(loader: Iterable[Any], epochs: int) -> None:
    """Print CPU seconds, batches and peak memory as one JSON object."""
    started, total, batches = time.process_time(), 0, 0
    for _ in range(epochs):
        for batch in loader:
            total += int(batch[0, 0])  # a batch that nobody looks at may never be made
            batches += 1
    spent = time.process_time() - started
    print(json.dumps({"seconds": spent, "batches": batches, "rss_mib": peak_mib()}))


def peak_mib() -> int:
    """Largest memory of this process; getrusage would count that of its parent."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
