"""What the DVC processes that we start have in common."""

import os
import sys
from pathlib import Path


def dvc_environment() -> dict[str, str]:
    """The environment of a DVC process: our interpreter first on PATH, nobody called unasked."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", "")]),
        "DVC_NO_ANALYTICS": "1",
        "PYTHONUNBUFFERED": "1",
    }
