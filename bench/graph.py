"""What the graph machinery costs when there is nothing to do: 20 stages, Dagster beside DVC.

Prints a table and, as the last line, one JSON object:
dagster_20_noop_s   wall seconds of the job `rerun_stale` with the executor that `make ui` uses
dvc_20_noop_s       wall seconds of `dvc repro`
noop_ratio_to_dvc   `hornbook status` against `dvc status`, DVC's CPU time over ours
diff_s              `hornbook diff` between two revisions of a 40-stage graph
idle_core_share     CPU share of our sensor: Dagster idle with it less Dagster idle without
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RUNS = 3


def graph_yaml(stages: int) -> str:
    """A manifest of trivial stages: a chain of five, then a fan."""
    parts = ["stages:"]
    for number in range(stages):
        parent = f"artifacts/s{min(number, 5) - 1}" if number else "seed.txt"
        parts.append(
            f"  s{number}:\n"
            f"    cmd: mkdir -p artifacts/s{number} && cp params.yaml artifacts/s{number}/v\n"
            f"    deps: [{parent}]\n    params: [level]\n    outs: [artifacts/s{number}]\n"
            f"    meta: {{group: g}}"
        )
    return "\n".join(parts) + "\n"


def environment(root: Path) -> dict[str, str]:
    """Local state only."""
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "DAGSTER_HOME": str(root / ".hornbook" / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DVC_NO_ANALYTICS": "1",
        "GIT_AUTHOR_NAME": "bench",
        "GIT_AUTHOR_EMAIL": "bench@example.org",
        "GIT_COMMITTER_NAME": "bench",
        "GIT_COMMITTER_EMAIL": "bench@example.org",
    }


def call(root: Path, *command: str, ok: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=False
    )
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in ok:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def make_graph(root: Path, stages: int) -> None:
    """A checkout with a graph that has run once."""
    root.mkdir(parents=True)
    (root / "dvc.yaml").write_text(graph_yaml(stages))
    (root / "params.yaml").write_text("level: 1\n")
    (root / "seed.txt").write_text("seed\n")
    (root / ".gitignore").write_text("/artifacts/\n/.hornbook/\n")
    shutil.copytree(ROOT / "dagster_project", root / "dagster_project")
    shutil.copytree(ROOT / "conf" / "runtime", root / "conf" / "runtime")
    shutil.copy(ROOT / "workspace.yaml", root)
    (root / ".hornbook" / "dagster").mkdir(parents=True)
    for command in (("git", "init", "-q"), ("dvc", "init", "-q"), ("dvc", "repro", "-q")):
        call(root, *command)
    call(root, "git", "add", "-A")
    call(root, "git", "commit", "-q", "-m", "one")


def noop(root: Path) -> dict[str, list[tuple[float, float]]]:
    """Everything is up to date: each way of finding that out, alternating."""
    job = ["dagster", "job", "execute", "-m", "dagster_project.definitions"]
    ways = {
        "dagster job, 20 stages": [*job, "-j", "rerun_stale"],
        "dvc repro, 20 stages": ["dvc", "repro"],
        "dvc status, 20 stages": ["dvc", "status"],
        "hornbook status, 20 stages": [sys.executable, "-m", "hornbook", "status"],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, command in ways.items():
            found[name].append(call(root, *command))
    return found


def diff_seconds(root: Path) -> list[tuple[float, float]]:
    """`hornbook diff` between two revisions of 40 stages in which everything changed."""
    (root / "params.yaml").write_text("level: 2\n")
    call(root, "dvc", "repro", "-q")
    call(root, "git", "commit", "-aqm", "two")
    command = [sys.executable, "-m", "hornbook", "diff", "HEAD~1", "HEAD"]
    return [call(root, *command) for _ in range(RUNS)]


def idle_share(root: Path, *, sensor: bool) -> float:
    """CPU share of an idle daemon over some seconds, its sensors on or off."""
    seconds = 100  # the sensor looks every 15
    definitions = root / "dagster_project" / "sync.py"
    text = definitions.read_text()
    if not sensor:
        definitions.write_text(
            text.replace("DefaultSensorStatus.RUNNING", "DefaultSensorStatus.STOPPED")
        )
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.ui", "--port", "3917", "--mlflow-port", "3918"],
        cwd=root,
        env=environment(root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(45)  # the start is over
    if process.poll() is not None:
        raise SystemExit(f"make ui has ended in {root}: what is not there is idle for nothing")
    before = tree_cpu(process.pid)
    time.sleep(seconds)
    used = tree_cpu(process.pid) - before
    process.terminate()
    process.wait(timeout=60)
    definitions.write_text(text)
    return used / seconds


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and everything below it."""
    ticks, parents = os.sysconf("SC_CLK_TCK"), dict[int, int]()
    cpu: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        cpu[int(folder.name)] = sum(map(int, fields[11:15])) / ticks
    inside = {pid}
    while grown := {p for p, parent in parents.items() if parent in inside} - inside:
        inside |= grown
    return sum(cpu.get(one, 0.0) for one in inside)


def main() -> None:
    """Measure, print the table, then the JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        twenty, forty = Path(folder, "twenty"), Path(folder, "forty")
        make_graph(twenty, 20)
        make_graph(forty, 40)
        found = noop(twenty)
        found["hornbook diff, 40 stages"] = diff_seconds(forty)
        with_sensor = idle_share(twenty, sensor=True)
        without = idle_share(twenty, sensor=False)
    print(f"{'what':<30}{'wall s':>10}{'spread':>10}{'cpu s':>10}")
    for name, runs in found.items():
        walls, cpus = [r[0] for r in runs], [r[1] for r in runs]
        spread = max(walls) - min(walls)
        print(
            f"{name:<30}{statistics.median(walls):>10.2f}{spread:>10.2f}{statistics.median(cpus):>10.2f}"
        )
    print(f"idle core share: {with_sensor:.3f} with the sensor, {without:.3f} without")

    def wall(name: str) -> float:
        return statistics.median(run[0] for run in found[name])

    def cpu(name: str) -> float:
        return statistics.median(run[1] for run in found[name])

    result = {
        "dagster_20_noop_s": round(wall("dagster job, 20 stages"), 2),
        "dvc_20_noop_s": round(wall("dvc repro, 20 stages"), 2),
        "noop_ratio_to_dvc": round(
            cpu("dvc status, 20 stages") / cpu("hornbook status, 20 stages"), 2
        ),
        "diff_s": round(wall("hornbook diff, 40 stages"), 2),
        "idle_core_share": round(max(with_sensor - without, 0.0), 4),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
