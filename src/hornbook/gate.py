"""The gate in a process of its own, which loads Great Expectations while the workers work.

Loading takes a core for six seconds. In the process of the stage they would come after the last
shard, when all other cores are idle.
"""

import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from hornbook.config import Expectation
from hornbook.errors import StageError

if TYPE_CHECKING:
    import pandas as pd


class Gate:
    """`judge` of `hornbook.expectations` in a process that ends with this one."""

    def __init__(self) -> None:
        # spawn: a child of the fork server would not count among what this process has used
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process.pid is not None
        return self._process.pid

    def judge(
        self, dataset: str, frame: "pd.DataFrame", expectations: Sequence[Expectation], key: str
    ) -> dict[str, Any]:
        """As the function of that name.

        Raises:
            StageError: The process is gone.
            ConfigError: As the function.
        """
        try:
            self._pipe.send((dataset, frame, expectations, key))
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise StageError(
                f"the process that checks {dataset!r} died: probably memory ran out while it "
                f"looked at {len(frame):,} rows. HORNBOOK_WORKERS=1 needs the least"
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the process and wait for it, so that what it used is known."""
        self._pipe.close()
        self._process.join()


def is_loaded() -> bool:
    """Whether this process could judge at once."""
    return "great_expectations" in sys.modules


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stage says what was interrupted
    os.environ["OMP_NUM_THREADS"] = "1"
    from hornbook.expectations import judge, load

    load()
    while True:
        try:
            question = pipe.recv()
        except EOFError:  # the stage has ended, or was killed
            return
        try:
            answer: Any = judge(*question)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the stage
            answer = error
        pipe.send(answer)
