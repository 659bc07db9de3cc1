"""A data stage at 1, 4 and 16 times its input, and on one and two cores.

The stage is web_corpus on the sample's crawl, whose pages are read again under other addresses.
What two cores can gain on this machine is measured by a loop that only computes, in the same run.
Prints a table and, as the last line, one JSON object:
cost_ratio            CPU time of a further page from 4 to 16 times the input, over that from 1 to 4
gain                  wall time on one core over that on two
gain_of_a_loop        the same of the loop
rss_ratio             peak memory of a worker at 16 times the input, over that at 1 times
"""

import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = 4800  # of the crawl that is multiplied
SHARDS = 4  # of the input of size 1
LOOP = 40_000_000
ONE_RUN = """
import json, resource, sys, time
from pathlib import Path
sys.path[:0] = [{root!r}, {src!r}]
if __name__ == "__main__":
    from tests.web.test_corpus import made
    from hornbook.web.corpus import web_corpus
    began = time.monotonic()
    run = made(Path(sys.argv[1]), workers=int(sys.argv[2]), shard_bytes=1)
    web_corpus(run)
    wall = time.monotonic() - began
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used) + run.workers_cpu_seconds
    rss = max(max(one.ru_maxrss for one in used) // 1024, run.workers_peak_rss_mib)
    rows = json.loads((run.out / "summary.json").read_text())["rows"]
    print(json.dumps([wall, cpu, rss, rows]))
"""


def crawl(folder: Path, times: int) -> None:
    """`times` inputs of one size, each with pages of its own."""
    from hornbook.sample.crawl import files

    (folder / "in").mkdir(parents=True)
    for copy in range(times * SHARDS):
        for name, content in files(PAGES // SHARDS, copy).items():
            (folder / "in" / f"{copy:03d}-{name}").write_bytes(content)


def stage(folder: Path, workers: int) -> tuple[float, float, int, int]:
    """Wall seconds, CPU seconds, peak memory in MiB and rows of one run."""
    shutil.rmtree(folder / ".pending", ignore_errors=True)
    script = folder / "run.py"
    script.write_text(ONE_RUN.format(root=str(ROOT), src=str(ROOT / "src")), "utf-8")
    command = [sys.executable, str(script), str(folder), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def spin(_: int) -> int:
    """Compute and nothing else."""
    total = 0
    for number in range(LOOP):
        total += number & 7
    return total


def loop(workers: int) -> float:
    """Wall seconds of eight loops."""
    began = time.monotonic()
    with multiprocessing.get_context("forkserver").Pool(workers) as pool:
        pool.map(spin, range(8), chunksize=1)
    return time.monotonic() - began


def main() -> None:
    """Measure, print."""
    heads = f"{'input':<8}{'workers':>8}{'wall s':>9}{'CPU s':>8}"
    print(f"{heads}{'MiB':>6}{'rows':>7}{'CPU ms/row':>12}")
    result: dict[str, float] = {}
    cost: dict[int, float] = {}
    kept: dict[int, float] = {}
    memory: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as name:
        for times in (1, 4, 16):
            folder = Path(name) / str(times)
            crawl(folder, times)
            runs = [stage(folder, 1) for _ in range(3 if times < 16 else 1)]
            wall, cpu, rss, rows = (statistics.median(column) for column in zip(*runs, strict=True))
            cost[times], kept[times], memory[times] = cpu, rows, int(rss)
            print(f"{times:<8}{1:>8}{wall:>9.1f}{cpu:>8.1f}{rss:>6.0f}{rows:>7.0f}"
                  f"{1000 * cpu / rows:>12.2f}", flush=True)  # fmt: skip
        walls: dict[int, list[float]] = {1: [], 2: []}
        loops: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(3):
            for workers in (1, 2):
                walls[workers].append(stage(Path(name) / "16", workers)[0])
                loops[workers].append(loop(workers))
    for workers in (1, 2):
        print(f"{16:<8}{workers:>8}{statistics.median(walls[workers]):>9.1f}   "
              f"loop {statistics.median(loops[workers]):.1f} s")  # fmt: skip
    further = [(cost[b] - cost[a]) / (kept[b] - kept[a]) for a, b in ((1, 4), (4, 16))]
    result["cost_ratio"] = round(further[1] / further[0], 3)
    result["gain"] = round(statistics.median(walls[1]) / statistics.median(walls[2]), 2)
    result["gain_of_a_loop"] = round(statistics.median(loops[1]) / statistics.median(loops[2]), 2)
    result["rss_ratio"] = round(memory[16] / memory[1], 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
