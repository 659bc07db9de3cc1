"""Environments of peers that are no dependencies of ours."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"


def python_of(name: str) -> Path:
    """The Python of a peer's own environment, made once from `peers/NAME.txt`."""
    folder = HERE / ".peers" / name
    python = folder / "bin" / "python"
    if not (folder / ".made").exists():
        print(f"making {folder.relative_to(HERE.parent)}", file=sys.stderr, flush=True)
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
        links = os.environ.get("PIP_FIND_LINKS")
        extra = ["--find-links", links] if links else []
        command = [uv, "pip", "install", "-q", "--python", python, *extra, "-r"]
        subprocess.run([*map(str, command), str(PEERS / f"{name}.txt")], check=True)
        (folder / ".made").touch()
    return python
