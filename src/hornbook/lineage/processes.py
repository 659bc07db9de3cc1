"""What the DVC processes that we start have in common."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


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
