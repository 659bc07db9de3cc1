"""What was paid for outlives processes, their deaths and their neighbours."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hornbook.errors import ArtifactError
from hornbook.teacher.budget import NOTHING, Spent
from hornbook.teacher.faults import retry_after
from hornbook.teacher.store import AnswerStore
from tests.teacher_ask.conftest import Classroom, questions
from tests.teacher_ask.faults import Fault, always, serving

ROOT = Path(__file__).resolve().parents[2]
ANSWER = {
    "text": "a",
    "finish_reason": "stop",
    "prompt_tokens": 1,
    "completion_tokens": 2,
}
MOST, ACTUAL = Spent(1.0, 10, 20), Spent(0.5, 1, 2)


def enter(store: AnswerStore, key: str, status: str, answer: Any, seconds: float) -> None:
    """A call from beginning to end."""
    number = store.send(key, "http://a/v1", MOST)
    store.settle(number, status, ACTUAL if answer else NOTHING, answer, seconds)


ASKS = """
import sys
from pathlib import Path
from typing import Any
from tests.teacher_ask.conftest import Classroom, questions
url, folder, name, count = sys.argv[1:]
room = Classroom(Path(folder))
room.runs = int(name)
room.ask(questions(int(count)), teacher_url=url, concurrency=4)
"""


def asking(url: str, folder: Path, *, name: int, count: int) -> "subprocess.Popen[bytes]":
    """A process that asks, with the store of `folder`."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-c", ASKS, url, str(folder), str(name), str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def test_a_killed_process_loses_the_calls_in_flight_at_most(classroom: Classroom) -> None:
    with serving(always(Fault(sleep=0.02))) as server:
        process = asking(server.url, classroom.root, name=50, count=40)
        while server.answered < 12:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        paid_before = server.answered
        resumed = classroom.ask(questions(40), teacher_url=server.url, concurrency=4)
        assert paid_before < 40
        assert server.answered <= 40 + 4
    assert resumed == Classroom(classroom.root / "fresh").ask(questions(40))


def test_two_processes_share_a_store(classroom: Classroom) -> None:
    with serving(always(Fault(sleep=0.002))) as server:
        processes = [asking(server.url, classroom.root, name=n, count=60) for n in (100, 200, 300)]
        assert [process.wait() for process in processes] == [0, 0, 0]
        asked = server.answered
        answers = classroom.ask(questions(60), teacher_url=server.url)
        assert server.answered == asked
    assert all(answer.failure is None for answer in answers)


def test_a_process_that_waits_to_retry_does_not_hold_the_store(tmp_path: Path) -> None:
    one, other = AnswerStore(tmp_path), AnswerStore(tmp_path)
    started = time.monotonic()
    enter(one, "a", "status_500", None, 0.1)
    enter(other, "b", "answered", ANSWER, 0.1)
    assert time.monotonic() - started < 5
    assert one.get(["a", "b"]) == {"b": ANSWER}


def test_the_first_answer_stays_and_every_call_is_in_the_ledger(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    enter(store, "a", "answered", ANSWER, 0.25)
    enter(store, "a", "answered", ANSWER | {"text": "later"}, 0.5)
    assert store.get(["a"])["a"]["text"] == "a"
    assert store.spent(["a", "b"]) == Spent(1.0, 2, 4)
    assert store.seconds(["a"]) == [0.25, 0.5]


def test_more_hashes_than_a_query_takes_are_found(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    names = [str(n) for n in range(1203)]
    for name in names[::400]:
        enter(store, name, "answered", ANSWER, 0.1)
    assert sorted(store.get(names)) == ["0", "1200", "400", "800"]


def test_a_file_that_is_no_database_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_bytes(b"not a database, by any means" * 100)
    with pytest.raises(ArtifactError, match=r"answers.sqlite: file is not a database.*move it"):
        AnswerStore(tmp_path)


def test_a_zero_byte_file_is_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").touch()
    assert AnswerStore(tmp_path).get(["a"]) == {}


def test_a_full_disk_is_told_as_one_and_the_answers_stay(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    enter(store, "a", "answered", ANSWER, 0.1)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="full") as raised:
        enter(store, "b", "answered", ANSWER | {"text": "x" * 100_000}, 0.1)
    assert raised.value.errno == 28
    assert list(AnswerStore(tmp_path).get(["a", "b"])) == ["a"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    from email.utils import formatdate

    assert 3500 < retry_after({"retry-after": formatdate(time.time() + 3600, usegmt=True)}) < 3601
