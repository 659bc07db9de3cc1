"""The gate in a process of its own, which loads Great Expectations while the workers work.

Loading takes a core for six seconds. In the process of the stage they would come after the last
shard, when all other cores are idle.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from traceback import format_exc
from typing import TYPE_CHECKING, Any

from hornbook.config import Expectation
from hornbook.errors import HornbookError, StageError

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

    def judge(
        self, dataset: str, frame: "pd.DataFrame", expectations: Sequence[Expectation], key: str
    ) -> dict[str, Any]:
        """As the function of that name.

        Raises:
            StageError: The process is gone, or failed in another way; then with its traceback.
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

    failed = _told(load)
    while True:
        try:
            question = pipe.recv()
        except EOFError:  # the stage has ended, or was killed
            return
        pipe.send(failed or _told(judge, *question))


def _told(work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - of any function
    """What a function returns or raises, as something that can be sent."""
    try:
        return work(*arguments)
    except HornbookError as error:
        return error
    except Exception:  # noqa: BLE001 - whatever it is belongs to the stage
        # other libraries' errors may not be pickled, or not unpickled
        return StageError(f"the process that checks datasets failed:\n{format_exc()}")
