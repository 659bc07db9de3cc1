"""N completions through hornbook's `ask_all`, with its ledger and store: URL N FOLDER.

Prints the seconds from the first request to the last answer.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Price, Teacher
from hornbook.teacher.requests import Message, Request
from tests.made_run import made_run

TEACHER = Teacher("procedural", 0.0, 1.0, 400, 0, {"procedural": Price(0.1, 0.4, 0.5)})


def requests(count: int) -> Iterator[Request]:
    """The same prompts as the peers ask."""
    for number in range(count):
        yield Request("", (Message("user", f"Write a passage about topic {number}."),))


if __name__ == "__main__":
    url, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    name = f"book_answers@{len(list(folder.glob('.pending/*')))}"
    run = made_run(folder, name, reads=[], params={})
    run.runtime = replace(run.runtime, teacher_url=url, concurrency=32, max_cost_usd=1e6)
    started = time.monotonic()
    answers = ask_all(run, TEACHER, lambda: requests(count))
    assert sum(1 for answer in answers if answer.failure is None) == count
    print(time.monotonic() - started)
