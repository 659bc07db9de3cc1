"""What one question to the teacher costs, beside a bare client and a distilabel pipeline.

All ask the same local server that answers at once, 32 at a time, each in a process of its own.
Quality control is off everywhere. CPU per request is the slope between a short and a long run, so
that imports and start-up do not count. Prints a table and, as the last line, one JSON object:
cpu_ratio_to_bare_client  CPU per request, ours over `AsyncOpenAI` with its default transport
cpu_ratio_to_distilabel   likewise over a Pipeline at its default settings
rss_mb                    our peak memory while asking the largest number of requests
resume_s                  seconds in which as many stored answers are found again
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from peer import PEERS, python_of

SHORT, LONG = 500, 3000


class Cost(NamedTuple):
    """Of one process and its children."""

    wall: float
    cpu: float
    rss_mb: float
    said: str


def call(command: Sequence[str]) -> Cost:
    """Run to the end."""
    quiet = {"HF_HUB_OFFLINE": "1", "DISTILABEL_LOG_LEVEL": "ERROR", "TQDM_DISABLE": "1"}
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | quiet
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said, errors = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{command[1]} failed:\n{errors[-2000:]}")
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return Cost(time.monotonic() - started, cpu, peak_mb(after), said)


def peak_mb(usage: resource.struct_rusage) -> float:
    """The largest child so far: only growing, so the largest run has to come last."""
    return usage.ru_maxrss / 1024


@contextmanager
def serving() -> Generator[str]:
    """The server's URL."""
    process = subprocess.Popen(
        [sys.executable, str(PEERS / "instant_server.py")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def commands(url: str, folder: Path, with_distilabel: bool) -> dict[str, list[str]]:
    """How each client is called, but for the number of requests."""
    found = {
        "AsyncOpenAI": [sys.executable, f"{PEERS}/bare_client.py", url, "{n}", "httpx"],
        "AsyncOpenAI, aiohttp": [sys.executable, f"{PEERS}/bare_client.py", url, "{n}", "aiohttp"],
        "hornbook": [sys.executable, f"{PEERS}/hornbook_client.py", url, "{n}", str(folder)],
    }
    if with_distilabel:
        python = str(python_of("distilabel"))
        found["distilabel"] = [python, f"{PEERS}/distilabel_client.py", url, "{n}"]
    return found


def slope_ms(command: list[str], runs: int, folder: Path) -> list[float]:
    """CPU milliseconds of a request in each run."""
    found: list[float] = []
    for _ in range(runs):
        costs: list[float] = []
        for count in (SHORT, LONG):
            with tempfile.TemporaryDirectory(dir=folder) as fresh:
                filled = [str(count) if part == "{n}" else part for part in command]
                filled = [fresh if part == str(folder) else part for part in filled]
                costs.append(call(filled).cpu)
        found.append((costs[1] - costs[0]) / (LONG - SHORT) * 1000)
    return found


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000, help="for memory and resuming")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without-distilabel", action="store_true")
    options = parser.parse_args()
    result: dict[str, float | None] = {}
    with serving() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clients = commands(url, folder, not options.without_distilabel)
        found: dict[str, list[float]] = {client: [] for client in clients}
        for _ in range(options.runs):  # alternating: the machine's mood hits all alike
            for client, command in clients.items():
                found[client] += slope_ms(command, 1, folder)
        middle = {client: statistics.median(values) for client, values in found.items()}
        print(f"{'client':<24}{'CPU ms a request':>18}{'spread':>10}{'ours/it':>10}")
        for client, values in found.items():
            spread, ratio = max(values) - min(values), middle["hornbook"] / middle[client]
            print(f"{client:<24}{middle[client]:>18.3f}{spread:>10.3f}{ratio:>10.2f}", flush=True)
        big = folder / "big"
        big.mkdir()
        few = hornbook(url, 1000, folder / "few")
        ask = hornbook(url, options.requests, big)
        again = hornbook(url, options.requests, big)
        print(f"1,000 requests: {few.rss_mb:.0f} MB; {options.requests:,}: {ask.rss_mb:.0f} MB, "
              f"{ask.wall:.0f} s; found again in {float(again.said):.2f} s")  # fmt: skip
    result["cpu_ratio_to_bare_client"] = round(middle["hornbook"] / middle["AsyncOpenAI"], 3)
    other = middle.get("distilabel")
    result["cpu_ratio_to_distilabel"] = round(middle["hornbook"] / other, 3) if other else None
    result["rss_mb"] = round(ask.rss_mb)
    result["resume_s"] = round(float(again.said), 2)
    print(json.dumps(result))


def hornbook(url: str, count: int, folder: Path) -> Cost:
    """Ours, with the peak memory of that process alone."""
    folder.mkdir(exist_ok=True)
    script = (
        "import resource, runpy, sys; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__'); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    made = call([sys.executable, "-c", script, f"{PEERS}/hornbook_client.py", url, str(count),
                 str(folder)])  # fmt: skip
    seconds, rss = made.said.strip().splitlines()[-2:]
    return made._replace(said=seconds, rss_mb=float(rss))


if __name__ == "__main__":
    main()
