"""Work for the tests of the map over shards; in a module, because workers import it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from hornbook.compute import Place
from hornbook.errors import InputError


def doubled(what: dict[str, Any], place: Place) -> dict[str, Any]:
    """Write twice the number; leave a mark for each call, or wait for another process."""
    if mark := what.get("mark"):
        Path(mark).mkdir(parents=True, exist_ok=True)
        (Path(mark) / f"{what['number']}-{time.monotonic_ns()}").touch()
    if meet := what.get("meet"):
        (Path(meet) / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len(list(Path(meet).iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.01)
    place.advance(1)
    (place.folder / "out.txt").write_text(str(2 * what["number"]), "utf-8")
    return {"number": what["number"], "pid": os.getpid() if what.get("meet") else 0}


def deadly(what: dict[str, Any], place: Place) -> dict[str, Any]:
    """As `doubled`, but number 3 kills its worker until `lives` marks are there."""
    marks = Path(what["marks"])
    if what["number"] == 3 and len(list(marks.iterdir())) < what["lives"]:
        (marks / str(time.monotonic_ns())).touch()
        (place.folder / "half.txt").write_text("half", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(what, place)


def refusing(what: dict[str, Any], place: Place) -> dict[str, Any]:
    """An error of the user's at number 5."""
    if what["number"] == 5:
        raise InputError("number 5 is damaged")
    return doubled(what, place)


def sleeping(what: dict[str, Any], place: Place) -> dict[str, Any]:
    """Leave the number of the process, and never end."""
    (Path(what["meet"]) / str(os.getpid())).touch()
    while True:
        time.sleep(1)
        place.advance(0)
