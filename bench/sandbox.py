"""Programs a second in the sandbox, beside a bare start of bubblewrap and Python.

The programs are the canonical solutions of HumanEval and sanitized MBPP with their tests where the
published files are there, else of the micro-suite of functions. Prints a table and, as the last
line, one JSON object:
programs_per_s        judged programs a second on two cores, wall time
cpu_ms                CPU time of one judged program
cpu_ratio_to_bare     that over the CPU time of an empty program without tests in bare bubblewrap
passed                share of the canonical solutions that pass
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
from hornbook.evaluate.items import load  # noqa: E402
from hornbook.sandbox.config import Sandbox  # noqa: E402
from hornbook.sandbox.sandbox import (  # noqa: E402
    Program,
    Verdict,
    interpreter,
    missing,
    run_programs,
)

BARE = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"]
WORKERS, ROUNDS = 2, 3


def programs() -> tuple[str, list[Program]]:
    """Solutions that are known to be right, and where they are from."""
    shared = os.environ.get("HORNBOOK_SHARED_DATA")
    folder = Path(shared) if shared else ROOT.parent / "shared" / "data"
    names = ("humaneval", "mbpp")
    if not folder.exists():
        folder, names = ROOT / "data" / "benchmarks", ("micro_functions",)
    rows = [row for name in names for row in load(name, folder)["test"]]
    whole = [row["prompt"] + row["canonical"] for row in rows]
    made = [Program(one, row["tests"], one) for one, row in zip(whole, rows, strict=True)]
    return " and ".join(names), made


def bare(count: int) -> None:
    """Start Python in bubblewrap, nothing else."""
    command = [*BARE, interpreter(), "-I", "-S", "-c", ""]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda _: subprocess.run(command, check=True), range(count)))


def cpu() -> float:
    """CPU seconds of this process and its children."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Measure in turns, print."""
    if why := missing():
        raise SystemExit(why)
    values = yaml.safe_load((ROOT / "conf/evaluate/sample.yaml").read_text("utf-8"))["sandbox"]
    limits = Sandbox(**values | {"cpu_seconds": 20, "wall_seconds": 20.0})
    source, listed = programs()
    took: dict[str, list[tuple[float, float]]] = {"judged": [], "bare": []}
    verdicts: list[Verdict] = []
    for _ in range(ROUNDS):
        for name, rounds in took.items():
            began, used = time.monotonic(), cpu()
            if name == "judged":
                verdicts = run_programs(listed, limits, WORKERS)
            else:
                bare(len(listed))
            rounds.append((time.monotonic() - began, cpu() - used))
    print(f"{len(listed)} programs of {source}, {WORKERS} at a time")
    print(f"{'':<10}{'a second':>10}{'CPU ms each':>13}")
    rates: dict[str, tuple[float, float]] = {}
    for name, rounds in took.items():
        wall, used = (statistics.median(column) for column in zip(*rounds, strict=True))
        rates[name] = (len(listed) / wall, 1000 * used / len(listed))
        print(f"{name:<10}{rates[name][0]:>10.1f}{rates[name][1]:>13.1f}")
    passed = sum(one.outcome == "passed" for one in verdicts) / len(verdicts)
    result = {
        "programs_per_s": round(rates["judged"][0], 1),
        "cpu_ms": round(rates["judged"][1], 1),
        "cpu_ratio_to_bare": round(rates["judged"][1] / rates["bare"][1], 2),
        "passed": round(passed, 4),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
