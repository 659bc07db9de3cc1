"""One `make ui` over one Dagster instance.

Each has a daemon, and daemons take runs out of one queue and ask one set of sensors: a second one
would launch runs of the first in its own checkout, and report its own files over the first's.
"""

import fcntl
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

BEAT_SECONDS = 35  # a daemon that lives says so every 30


@contextmanager
def only_one(home: Path, address: str) -> Generator[None]:
    """Hold the instance in `home` for the UI at `address`; exits where another one holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "ui.lock").open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            where = held.read().strip() or "another address"
            sys.exit(
                f"make ui: it is up for this checkout already, at {where}; as many windows of a "
                f"browser as you like may be open there"
            )
        held.truncate(0)
        held.write(f"{address} (process {os.getpid()})")
        held.flush()
        yield


def require_no_other_daemon(instance: dg.DagsterInstance) -> None:
    """Exit where a daemon of another machine or checkout works on the same database."""
    newest = _newest_beat(instance)
    if time.time() - newest > BEAT_SECONDS:
        return
    sys.stdout.write("make ui: looking whether another one works on this database\n")
    sys.stdout.flush()
    deadline = newest + BEAT_SECONDS
    while time.time() < deadline:
        time.sleep(1)
        if _newest_beat(instance) > newest:
            sys.exit(
                "make ui: another one works on the database that HORNBOOK_POSTGRES_URL names, and "
                "the daemons of two would run each other's stages: use that one, end it, or name "
                "a database of your own"
            )


def _newest_beat(instance: dg.DagsterInstance) -> float:
    return max((one.timestamp for one in instance.get_daemon_heartbeats().values()), default=0.0)
