"""What the DVC processes that we start have in common."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

RWLOCK = Path(".dvc", "tmp", "rwlock")  # DVC's list of who works on what
ENDS_WITH = "HORNBOOK_ENDS_WITH"  # the process without which a run is of no use to anybody
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def dvc_environment() -> dict[str, str]:
    """The environment of a DVC process: our interpreter first on PATH, nobody called unasked."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", "")]),
        "DVC_NO_ANALYTICS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def git_says(root: Path, *arguments: str) -> str:
    """What a git command prints, without the space around it; nothing where it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


@contextmanager
def sigterm_as_interrupt() -> Generator[None]:
    """SIGTERM, which schedulers and `kill` send, ends what runs as Ctrl-C does.

    A stage is in a session of its own and would go on without us.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # started in the background of a script: what we start would ignore it as well, and could
        # not be stopped by us; a handler, unlike SIG_IGN, is not handed on
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent() -> None:
    """Ask Linux to send SIGTERM when the process that started this one is gone, however it went."""
    with suppress(OSError, AttributeError):  # another system has no such call
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_with_starter() -> None:
    """Be sent SIGTERM when the process that `HORNBOOK_ENDS_WITH` names is killed (Linux alone).

    A run of an experiment that nobody waits for any more would never become an experiment.
    """
    starter = os.environ.pop(ENDS_WITH, "")
    if not starter:
        return
    end_with_parent()
    if os.getppid() != int(starter):
        os.kill(os.getpid(), signal.SIGTERM)
