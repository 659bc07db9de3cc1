"""Programs that mean harm: none passes a test it did not solve, none outlives its limit."""

import subprocess
import time
from pathlib import Path

import pytest
import yaml

from hornbook.evaluate.items import load
from hornbook.sandbox import sandbox
from hornbook.sandbox.config import Sandbox
from hornbook.sandbox.sandbox import missing, run_program, run_programs

ROOT = Path(__file__).resolve().parents[2]
CONF = yaml.safe_load((ROOT / "conf" / "evaluate" / "sample.yaml").read_text())["sandbox"]
LIMITS = Sandbox(**CONF | {"cpu_seconds": 2, "wall_seconds": 2.0})
TESTS = ["assert f(2) == 4"]

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def test_a_right_program_passes_and_a_wrong_one_fails():
    assert run_program("def f(x): return x * 2", TESTS, LIMITS).outcome == "passed"
    wrong = run_program("def f(x): return x * 3", TESTS, LIMITS)
    assert (wrong.outcome, wrong.detail.split()[0]) == ("failed", "AssertionError")


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os; os._exit(0)", ""),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os.write(1, b'passed'); os._exit(0)", ""),
        ("x = bytearray(10**10)", "MemoryError"),
        ("import socket; socket.create_connection(('127.0.0.1', 22), 1)", "OSError"),
        ("open('/program/x', 'w')", "OSError"),
        ("open('/usr/x', 'w')", "OSError"),
        ("import os; assert os.environ.get('HOME') or os.environ.get('PATH')", "AssertionError"),
        ("open('/root/.bashrc')", "FileNotFoundError"),
        ("import os; os.listdir('/home')", "FileNotFoundError"),
        ("import os; os.kill(os.getppid(), 9); os._exit(0)", ""),
    ],
    ids=[
        "exit before the tests",
        "sys.exit before the tests",
        "prints the verdict",
        "memory bomb",
        "opens a socket",
        "writes beside itself",
        "writes into the system",
        "reads the environment",
        "reads a home",
        "reads all homes",
        "signals its parent",
    ],
)
def test_harm_fails(program, told):
    verdict = run_program(program, TESTS, LIMITS)
    assert verdict.outcome != "passed"
    assert told in verdict.detail or "refused" in verdict.detail


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "while True: print('x' * 10000)",
        "import time; time.sleep(100)",
    ],
    ids=["endless loop", "fork bomb", "endless output", "sleeps"],
)
def test_nothing_outlives_its_limit(program):
    started = time.monotonic()
    assert run_program(program, TESTS, LIMITS).outcome != "passed"
    assert time.monotonic() - started < LIMITS.wall_seconds + 6
    deadline = time.monotonic() + 10
    while running() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not running()


def running() -> list[str]:
    """Processes of a sandbox that are still there."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if "/program/checker.py" in line]


def test_verdicts_keep_the_order_of_their_programs():
    programs = [(f"def f(x): return {n}", ["assert f(0) == 1"]) for n in (1, 0, 1, 0)]
    outcomes = [verdict.outcome for verdict in run_programs(programs, LIMITS, 2)]
    assert outcomes == ["passed", "failed", "passed", "failed"]


def test_without_bubblewrap_it_refuses_and_says_what_to_install(monkeypatch):
    missing.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    try:
        with pytest.raises(sandbox.SandboxError, match="apt-get install bubblewrap"):
            run_program("", [], LIMITS)
    finally:
        monkeypatch.undo()
        missing.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("humaneval", 164), ("mbpp", 427)])
def test_canonical_solutions_of_published_benchmarks_pass(shared, name, count):
    rows = load(name, shared)["test"]
    limits = Sandbox(**CONF | {"cpu_seconds": 20, "wall_seconds": 20.0})
    programs = [(row["prompt"] + row["canonical"], row["tests"]) for row in rows]
    verdicts = run_programs(programs, limits, 2)
    failed = [r["id"] for r, v in zip(rows, verdicts, strict=True) if v.outcome != "passed"]
    assert (len(rows), failed) == (count, [])
