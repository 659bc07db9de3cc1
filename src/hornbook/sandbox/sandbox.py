"""Run model-written code: no network, no home, no environment, nothing outside its own tmp.

The program and its tests run as a child of a checker inside the sandbox (`checker.py`); only the
checker can report, and a program that ends before its tests counts as failed.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from hornbook.errors import SandboxError
from hornbook.sandbox.config import Sandbox

Outcome = Literal["passed", "failed", "timeout"]
REMEDY = "install bubblewrap (apt-get install bubblewrap) and allow user namespaces"
CHECKER = Path(__file__).with_name("checker.py")


@dataclass(frozen=True)
class Verdict:
    """What became of a program; `detail` is the last line of what it said."""

    outcome: Outcome
    detail: str


@cache
def missing() -> str | None:
    """Why there is no sandbox on this machine; None where there is one."""
    program = shutil.which("bwrap")
    if program is None:
        return f"no sandbox: {REMEDY}"
    probe = subprocess.run(
        [*_bubblewrap(Path(tempfile.gettempdir())), interpreter(), "-I", "-S", "-c", ""],
        capture_output=True,
        check=False,
    )
    return None if probe.returncode == 0 else f"no sandbox: bubblewrap cannot start; {REMEDY}"


def _bubblewrap(work: Path) -> list[str]:
    """The walls: system read-only, a private tmp, own namespaces, an empty environment."""
    command = [
        "bwrap",
        "--unshare-all",
        "--as-pid-1",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ]
    for place in ("/usr", "/lib", "/lib64", "/bin"):
        if Path(place).exists():
            command += ["--ro-bind", place, place]
    prefix = Path(sys.base_prefix).resolve()
    if not prefix.is_relative_to("/usr"):
        command += ["--ro-bind", str(prefix), str(prefix)]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/program"]  # noqa: S108 - inside
    command += ["--ro-bind", str(work), "/program", "--chdir", "/tmp"]  # noqa: S108 - inside
    return command


def interpreter() -> str:
    """A Python of the base installation: the environment's packages stay outside."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(sys.base_prefix).resolve() / "bin" / version
    return str(found if found.exists() else Path(sys.executable).resolve())


def run_program(program: str, tests: Sequence[str], limits: Sandbox) -> Verdict:
    """Whether a program passes its tests.

    Raises:
        SandboxError: There is no sandbox and the weaker mode was not asked for.
    """
    if limits.mode == "bubblewrap" and (why := missing()):
        raise SandboxError(why)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "program.py").write_text(program, encoding="utf-8")
        (work / "tests.py").write_text("\n".join(tests), encoding="utf-8")
        shutil.copy(CHECKER, work / "checker.py")
        place = "/program" if limits.mode == "bubblewrap" else folder
        walls = _bubblewrap(work) if limits.mode == "bubblewrap" else []
        command = [*walls, interpreter(), "-I", "-S", f"{place}/checker.py", place]
        numbers = [str(limits.wall_seconds), str(limits.processes)]
        return _judge([*command, *numbers], limits)


def _judge(command: list[str], limits: Sandbox) -> Verdict:
    reading, writing = os.pipe()
    try:
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [*command, str(writing)],
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={},
                cwd="/",
                preexec_fn=lambda: _limit(limits),  # noqa: PLW1509 - only setrlimit, no locks
            )
            os.close(writing)
            writing = -1
            try:
                process.wait(timeout=limits.wall_seconds + 2)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                return Verdict("timeout", f"longer than {limits.wall_seconds} s")
            told = os.read(reading, 64).decode("ascii", "replace")
            said.seek(0)
            lines = said.read(limits.output_bytes).decode("utf-8", "replace").strip().splitlines()
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    detail = lines[-1][:200] if lines else ""
    if told == "passed":
        return Verdict("passed", "")
    return Verdict("timeout" if told == "timeout" else "failed", detail)


def _limit(limits: Sandbox) -> None:
    memory, size = limits.memory_mib << 20, limits.file_mib << 20
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def run_programs(
    programs: Sequence[tuple[str, Sequence[str]]], limits: Sandbox, workers: int
) -> list[Verdict]:
    """Verdicts in order; `workers` run side by side."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda one: run_program(one[0], one[1], limits), programs))
