"""Run model-written code: no network, no home, no environment, nothing outside its own tmp.

Inside, the tests are a process of their own and call the program's through a pipe (`checker.py`).
"""

import atexit
import os
import py_compile
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from hornbook.errors import SandboxError
from hornbook.sandbox import checker
from hornbook.sandbox.config import Sandbox
from hornbook.sandbox.names import names_for
from hornbook.sandbox.syscalls import filter_program

Outcome = Literal["passed", "failed", "timeout"]
REMEDY = "install bubblewrap (apt-get install bubblewrap) and allow user namespaces"
ROOT_REMEDY = (
    "it runs programs as nobody, which takes setpriv (apt-get install util-linux) and a Python "
    f"{sys.version_info.major}.{sys.version_info.minor} that everybody may run (in /usr/bin, or no "
    "longer below a home); or run as a user who is not root"
)
NOBODY = 65534
GRACE_SECONDS = 2.0  # for the checker to say that time is over


@dataclass(frozen=True)
class Program:
    """Model-written Python and the statements that judge it.

    The tests see plain values of what the program defines. They get the imports of `reference`, a
    trusted solution, and a function of the program with the name of a builtin only where the
    reference defines it too.
    """

    source: str
    tests: Sequence[str] = ()
    reference: str = ""


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
    if os.geteuid() == 0 and not _as_nobody():
        return f"no sandbox for root: {ROOT_REMEDY}"
    probe = subprocess.run(
        [*_bubblewrap(), interpreter(), "-I", "-S", "-c", ""],
        capture_output=True,
        check=False,
    )
    return None if probe.returncode == 0 else f"no sandbox: bubblewrap cannot start; {REMEDY}"


def _bubblewrap() -> list[str]:
    """The walls: system read-only, a private tmp, own namespaces, an empty environment.

    There is no /proc inside: a program has no way to the process that judges it.
    """
    command = [
        *_as_nobody(),
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
    prefix = Path(interpreter()).parent.parent
    if not prefix.is_relative_to("/usr"):
        command += ["--ro-bind", str(prefix), str(prefix)]
    command += ["--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"]  # noqa: S108 - inside
    return [*command, "--ro-bind", str(compiled_checker().parent), "/checker"]


@cache
def compiled_checker() -> Path:
    """The checker, compiled for the interpreter inside: parsing it takes longer than running it."""
    folder = Path(tempfile.mkdtemp(prefix="hornbook-checker-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = folder / "checker.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(
        checker.__file__, str(made), "checker.py", doraise=True, invalidation_mode=mode
    )
    return made


@cache
def interpreter() -> str:
    """A Python of the base installation: the environment's packages stay outside.

    For root it is one that everybody may run, because root runs programs as nobody.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = Path(sys.base_prefix).resolve() / "bin" / version
    found = [own if own.exists() else Path(sys.executable).resolve(), Path("/usr/bin") / version]
    chosen = found[0] if os.geteuid() else next(filter(_is_for_all, found), found[0])
    return str(chosen)


def _is_for_all(file: Path) -> bool:
    """Whether everybody may run a file."""
    return file.exists() and all(part.stat().st_mode & 1 for part in (file, *file.parents))


@cache
def _as_nobody() -> list[str]:
    """For root, what makes it nobody: the kernel counts processes of everybody else only."""
    can = not os.geteuid() and shutil.which("setpriv") and _is_for_all(Path(interpreter()))
    ids = [f"--{kind}={NOBODY}" for kind in ("reuid", "regid")]
    return ["setpriv", *ids, "--clear-groups", "--no-new-privs"] if can else []


def run_program(program: Program, limits: Sandbox) -> Verdict:
    """Whether a program passes its tests; without tests, whether it runs to its end.

    Raises:
        SandboxError: There is no sandbox and the weaker mode was not asked for.
    """
    if limits.mode == "bubblewrap" and (why := missing()):
        raise SandboxError(why)
    source = "\n".join(program.tests)
    names = names_for(source, program.reference)
    contents = (program.source, "\0".join((names.imports, " ".join(names.of_program), source)))
    reading, writing = os.pipe()
    opened = [writing, *map(_held, contents)]
    walls: list[str] = []
    place = str(compiled_checker())
    if limits.mode == "bubblewrap":
        walls, place = _bubblewrap(), "/checker/checker.pyc"
        if (denied := filter_program()) is not None:
            opened.append(_held(denied))
            walls += ["--seccomp", str(opened[-1])]
    seconds = str(limits.wall_seconds)
    numbers = [str(opened[1]), str(opened[2]), str(writing), seconds, *_limits(limits)]
    try:
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [*walls, interpreter(), "-I", "-S", place, *numbers],
                pass_fds=opened,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={},
                cwd="/",
            )
            while opened:
                os.close(opened.pop())
            told = _verdict(process, reading, limits)
            said.seek(0)
            lines = said.read(limits.output_bytes).decode("utf-8", "replace").strip().splitlines()
    finally:
        for descriptor in (reading, *opened):
            os.close(descriptor)
    if told == "passed":
        return Verdict("passed", "")
    if told == "late":
        return Verdict("timeout", f"longer than {limits.wall_seconds} s")
    return Verdict("timeout" if told == "timeout" else "failed", lines[-1][:200] if lines else "")


def _held(content: str | bytes) -> int:
    """A descriptor of a file that has no name, from which a process can read `content`."""
    descriptor = os.memfd_create("hornbook")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _verdict(process: "subprocess.Popen[bytes]", reading: int, limits: Sandbox) -> str:
    """What the checker says, in the time it has and a little more; nothing of it stays behind."""
    ready, _, _ = select.select([reading], [], [], limits.wall_seconds + GRACE_SECONDS)
    told = os.read(reading, 64).decode("ascii", "replace") if ready else "late"
    if told == "late" or limits.mode == "rlimit":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return told


def _limits(limits: Sandbox) -> list[str]:
    memory, size = limits.memory_mib << 20, limits.file_mib << 20
    values = {
        "CPU": limits.cpu_seconds,
        "AS": memory,
        "FSIZE": size,
        "CORE": 0,
        "NOFILE": 64,
        "NPROC": limits.processes,
    }
    return [f"{name}={value}" for name, value in values.items()]


def run_programs(programs: Sequence[Program], limits: Sandbox, workers: int) -> list[Verdict]:
    """Verdicts in order; `workers` run side by side."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda one: run_program(one, limits), programs))
