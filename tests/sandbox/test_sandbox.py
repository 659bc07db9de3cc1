"""Programs that mean harm: none passes a test it did not solve, none outlives its limit."""

import os
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from hornbook.errors import SandboxError
from hornbook.evaluate.items import load
from hornbook.sandbox import sandbox
from hornbook.sandbox.config import Sandbox
from hornbook.sandbox.sandbox import Program, missing, run_program, run_programs

ROOT = Path(__file__).resolve().parents[2]
CONF = yaml.safe_load((ROOT / "conf" / "evaluate" / "sample.yaml").read_text())["sandbox"]
LIMITS = Sandbox(**CONF | {"cpu_seconds": 2, "wall_seconds": 2.0})
PATIENT = Sandbox(**CONF | {"cpu_seconds": 20, "wall_seconds": 20.0})
TESTS = ["assert f(2) == 4"]

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def judged(source, tests=TESTS, reference="", limits=PATIENT):
    return run_program(Program(source, tests, reference), limits)


def test_a_right_program_passes_and_a_wrong_one_fails():
    assert judged("def f(x): return x * 2").outcome == "passed"
    wrong = judged("def f(x): return x * 3")
    assert (wrong.outcome, wrong.detail.split()[0]) == ("failed", "AssertionError")


@pytest.mark.parametrize(
    ("program", "told"),
    [
        pytest.param(program, told, id=name)
        for name, program, told in (
            ("exit before the tests", "import os; os._exit(0)", ""),
            ("sys.exit before the tests", "import sys; sys.exit(0)", "SystemExit"),
            ("prints the verdict", "import os; os.write(1, b'passed'); os._exit(0)", ""),
            ("memory bomb", "x = bytearray(10**10)", "MemoryError"),
            (
                "opens a socket",
                "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
                "OSError",
            ),
            ("writes beside the checker", "open('/checker/x', 'w')", "OSError"),
            ("writes into the system", "open('/usr/x', 'w')", "OSError"),
            ("writes outside", "open('/x', 'w').write('x')\nopen('/../../home/x', 'w')", "Error"),
            ("deletes files", "import os; os.unlink('/checker/checker.pyc')", "OSError"),
            (
                "reads the environment",
                "import os; assert os.environ.get('HOME') or os.environ.get('PATH')",
                "AssertionError",
            ),
            ("reads a file of ours", f"open({__file__!r})", "FileNotFoundError"),
            ("reads a home", f"import os; os.listdir({str(Path.home())!r})", "FileNotFoundError"),
            ("reads all homes", "import os; os.listdir('/home')", "FileNotFoundError"),
            ("reads other processes", "open('/proc/1/environ')", "FileNotFoundError"),
            ("signals its parent", "import os; os.kill(os.getppid(), 9); os._exit(0)", ""),
            ("ends as the tests call it", "def f(x):\n    import os; os._exit(0)", "ended before"),
            ("exits as the tests call it", "def f(x): raise SystemExit(0)", "SystemExit"),
            (
                "equals everything",
                "class E(int):\n    def __eq__(self, other): return True\ndef f(x): return E(5)",
                "AssertionError",
            ),
            (
                "an object that equals everything",
                "class E:\n    def __eq__(self, other): return True\ndef f(x): return E()",
                "AssertionError",
            ),
            (
                "replaces builtins",
                (
                    "import builtins\nbuiltins.AssertionError = None\n"
                    "builtins.int.__eq__ = lambda a, b: True"
                ),
                "TypeError",
            ),
            (
                "patches the checker",
                (
                    "import sys\nchecker = sys.modules['__main__']\n"
                    "checker.judge = lambda *_: 'passed'\nchecker.os._exit = lambda code: None\n"
                    "def f(x): return 5"
                ),
                "AssertionError",
            ),
            (
                "writes the verdict to every descriptor",
                (
                    "import os\nfor d in range(64):\n    try: os.write(d, b'passed')\n"
                    "    except OSError: pass\nos._exit(0)"
                ),
                "",
            ),
            (
                "looks for the tests",
                (
                    "import os\nfor d in range(64):\n"
                    "    try:\n        os.lseek(d, 0, 0)\n"
                    "        if b'assert' in os.read(d, 9999): found = True\n"
                    "    except OSError: pass\nfound"
                ),
                "NameError",
            ),
            (
                "traces its parent",
                (
                    "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                    "assert libc.ptrace(16, 1, 0, 0) == 0, ctypes.get_errno()"
                ),
                "AssertionError 1",
            ),
        )
    ],
)
def test_harm_fails(program, told):
    verdict = judged(program)
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
    assert judged(program, limits=LIMITS).outcome != "passed"
    assert time.monotonic() - started < LIMITS.wall_seconds + 6
    deadline = time.monotonic() + 10
    while running() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not running()


def test_a_program_has_no_more_processes_than_it_may():
    program = """
import os
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            import time
            time.sleep(30)
        count += 1
except OSError:
    pass
def f(x):
    return count
"""
    most = LIMITS.processes
    assert judged(program, [f"assert 0 < f(1) < {most}, f(1)"]).outcome == "passed"


@pytest.fixture
def as_root(monkeypatch):
    """What the sandbox finds for root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = (sandbox.missing, sandbox.interpreter, sandbox._as_nobody)
    for one in found:
        one.cache_clear()
    yield
    for one in found:
        one.cache_clear()


def test_root_that_cannot_become_nobody_is_refused(as_root, monkeypatch):
    which = sandbox.shutil.which
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: name != "setpriv" and which(name))
    with pytest.raises(SandboxError, match=r"root: .* setpriv \(apt-get install util-linux\)"):
        judged("pass", [])


def test_root_without_a_python_for_everybody_is_refused(as_root, monkeypatch):
    monkeypatch.setattr(sandbox, "_is_for_all", lambda _: False)
    with pytest.raises(SandboxError, match=r"a Python \d\.\d+ that everybody may run"):
        judged("pass", [])


def test_a_program_that_runs_is_seen():
    with ThreadPoolExecutor(1) as pool:
        judging = pool.submit(judged, "import time; time.sleep(100)", limits=LIMITS)
        deadline = time.monotonic() + 10
        while not running() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running()
        assert judging.result().outcome == "timeout"
    assert not running()


def running() -> list[str]:
    """Processes of a sandbox that are still there."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if "/checker/checker.pyc" in line]


def test_verdicts_keep_the_order_of_their_programs():
    programs = [Program(f"def f(x): return {n}", ["assert f(0) == 1"]) for n in (1, 0, 1, 0)]
    outcomes = [verdict.outcome for verdict in run_programs(programs, LIMITS, 2)]
    assert outcomes == ["passed", "failed", "passed", "failed"]


def test_without_bubblewrap_it_refuses_and_says_what_to_install(monkeypatch):
    missing.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    try:
        with pytest.raises(sandbox.SandboxError, match="apt-get install bubblewrap"):
            judged("")
    finally:
        monkeypatch.undo()
        missing.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("humaneval", 164), ("mbpp", 427)])
def test_canonical_solutions_of_published_benchmarks_pass(shared, name, count):
    rows = load(name, shared)["test"]
    whole = [row["prompt"] + row["canonical"] for row in rows]
    programs = [Program(one, row["tests"], one) for one, row in zip(whole, rows, strict=True)]
    verdicts = run_programs(programs, PATIENT, 2)
    failed = [r["id"] for r, v in zip(rows, verdicts, strict=True) if v.outcome != "passed"]
    assert (len(rows), failed) == (count, [])


def test_what_a_program_calls_a_builtin_does_not_reach_its_tests():
    cheat = "def f(x): return 9\ndef abs(x): return 0\nfloat = lambda x: 4.0"
    told = judged(cheat, ["assert abs(float(f(2)) - 4) < 1e-6"])
    assert told.outcome == "failed"
    # the same through an answer with more names than were asked for
    forged = """
import sys
channel = sys.modules["__main__"].Channel
send = channel.send
def more(self, value):
    if isinstance(value[1], dict):
        value = (value[0], value[1] | {"abs": lambda x: 0})
    send(self, value)
channel.send = more
def f(x): return 9
"""
    assert judged(forged, ["assert abs(f(2) - 4) < 1e-6"]).outcome == "failed"
    own = "def sum(a, b): return a + b"
    assert judged(own, ["assert sum(1, 2) == 3"], reference=own).outcome == "passed"


@pytest.mark.parametrize(
    "value",
    [
        "None", "True", "-1", "10**400", "0.1", "float('inf')", "1j", "'a\\ud800'", "b'x'",
        "[1, (2, {'a': {3}})]", "frozenset({1})", "range(3)", "{1: [2]}", "''", "[]",
    ],
)  # fmt: skip
def test_plain_values_pass_both_ways(value):
    told = judged("def same(x): return x", [f"v = {value}", "w = same(v)",
                                            "assert (w, type(w)) == (v, type(v)), w"])  # fmt: skip
    assert told.outcome == "passed", told


def test_instances_iterators_and_errors_of_a_program_can_be_used():
    program = (
        "from collections import Counter\n"
        "class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\n"
        "def longest(pairs): return max(pair.b - pair.a for pair in pairs)\n"
        "def squares(n): return (k * k for k in range(n))\n"
        "def counts(text): return Counter(text)\n"
        "def fail(): raise KeyError('x')\n"
        "LIMIT = 3\n"
    )
    tests = [
        "assert longest([Pair(1, 5), Pair(2, 3)]) == 4",
        "assert Pair(7, 8).a == 7",
        "assert list(squares(LIMIT)) == [0, 1, 4]",
        "assert counts('aab') == {'a': 2, 'b': 1}",
        "try: fail(); assert False",
        "except KeyError: pass",
    ]
    assert judged(program, tests).outcome == "passed"


def test_nothing_of_a_program_stays_on_the_machine():
    place = Path(tempfile.gettempdir()) / f"left-{uuid.uuid4()}"
    program = (
        f"open({str(place)!r}, 'w').write('x')\ndef f(x): return len(open({str(place)!r}).read())"
    )
    assert judged(program, ["assert f(1) == 1"]).outcome == "passed"
    assert not place.exists()
