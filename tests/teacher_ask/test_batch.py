"""The Batch API: the same answers as one by one, paid once whatever dies in between."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from hornbook.errors import BudgetError, ConfigError, TeacherError
from hornbook.teacher.files import Desk
from hornbook.teacher.procedural import BadRequestError
from hornbook.teacher.server import Teaching
from tests.teacher_ask.conftest import Classroom, questions
from tests.teacher_ask.test_store import ROOT


class OddDesk(Desk):
    """A provider's desk on a bad day."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[int] = []  # the size of each batch
        self.on_create: Callable[[dict[str, Any]], dict[str, Any]] = lambda batch: batch
        self.looks = 0
        self.pending_looks = 0

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        made = super().create(body)
        self.created.append(len(self.files[body["input_file_id"]].splitlines()))
        return self.on_create(made)

    def batch(self, name: str) -> dict[str, Any]:
        self.looks += 1
        found = super().batch(name)
        return found | {"status": "in_progress"} if self.looks <= self.pending_looks else found

    def edit(
        self, name: str, change: Callable[[int, dict[str, Any]], dict[str, Any] | None]
    ) -> None:
        """Rewrite each line of a batch's output; None leaves it out."""
        output = self.batches[name]["output_file_id"]
        rows = [json.loads(line) for line in self.files[output].splitlines()]
        kept = [new for n, row in enumerate(rows) if (new := change(n, row)) is not None]
        self.files[output] = "\n".join(map(json.dumps, kept)).encode()


@contextmanager
def desk() -> Generator[tuple[OddDesk, str]]:
    server = Teaching(("127.0.0.1", 0))
    server.desk = odd = OddDesk()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield odd, f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


BATCH = {"transport": "batch", "batch_requests": 10, "poll_seconds": 0.02}


def test_batches_give_the_answers_of_single_calls_at_their_price(classroom: Classroom) -> None:
    with desk() as (odd, url):
        odd.pending_looks = 3
        answers = classroom.ask(questions(25), teacher_url=url, **BATCH)
        assert odd.created == [10, 10, 5]
    single = Classroom(classroom.root / "single")
    assert answers == single.ask(questions(25))
    paid = [room.last.measures["spent_usd"] for room in (classroom, single)]
    assert paid[0] == pytest.approx(paid[1] / 2, abs=2e-6)


def test_what_a_batch_left_out_or_failed_is_asked_again_in_another(classroom: Classroom) -> None:
    def spoil(batch: dict[str, Any]) -> dict[str, Any]:
        if len(odd.created) == 1:
            busy = {"status_code": 500, "body": {"error": {"message": "busy"}}}
            odd.edit(batch["id"], lambda n, row: None if n < 2 else
                     row | {"response": busy} if n == 2 else row)  # fmt: skip
        return batch

    with desk() as (odd, url):
        odd.on_create = spoil
        answers = classroom.ask(questions(8), teacher_url=url, **BATCH)
        assert odd.created == [8, 3]
    assert all(answer.failure is None for answer in answers)
    assert classroom.last.measures["failures"] == {"expired": 2, "status_500": 1}


def test_a_request_that_never_works_is_a_failure_of_its_own(classroom: Classroom) -> None:
    def refuse(batch: dict[str, Any]) -> dict[str, Any]:
        wrong = {"status_code": 400, "body": {"error": {"message": "no"}}}
        odd.edit(batch["id"], lambda n, row: row | {"response": wrong} if n == 1 else row)
        return batch

    with desk() as (odd, url):
        odd.on_create = refuse
        answers = classroom.ask(questions(4), teacher_url=url, **BATCH)
        assert odd.created == [4]
    assert [answer.failure for answer in answers] == [None, "status_400", None, None]


def test_a_batch_whose_creation_got_through_unheard_is_found_and_not_made_twice(
    classroom: Classroom,
) -> None:
    def lose(batch: dict[str, Any]) -> dict[str, Any]:
        if len(odd.created) == 1:
            raise BadRequestError(500, "the reply is lost, the batch is not")
        return batch

    with desk() as (odd, url):
        odd.on_create = lose
        answers = classroom.ask(questions(6), teacher_url=url, **BATCH)
        assert odd.created == [6]
    assert all(answer.failure is None for answer in answers)


ASKS = """
import sys
from pathlib import Path
from tests.teacher_ask.conftest import Classroom, questions
room = Classroom(Path(sys.argv[2]))
room.runs = 50
room.ask(questions(30), teacher_url=sys.argv[1], transport="batch", batch_requests=10,
         poll_seconds=0.02)
"""


@pytest.mark.parametrize("transport", ["batch", "chat"])
def test_a_killed_run_finds_its_batches_and_pays_for_none_twice(
    classroom: Classroom, transport: str
) -> None:
    with desk() as (odd, url):
        odd.pending_looks = 10**9
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        command = [sys.executable, "-c", ASKS, url, str(classroom.root)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        while odd.looks < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        odd.pending_looks = 0
        later = BATCH | {"transport": transport}
        answers = classroom.ask(questions(30), teacher_url=url, **later)
        assert odd.created == [10, 10, 10]
        assert classroom.last.measures["asked"] == 0
    assert answers == Classroom(classroom.root / "alone").ask(questions(30))


def test_a_batch_that_was_entered_but_never_created_costs_nothing(classroom: Classroom) -> None:
    from hornbook.teacher.budget import Spent
    from hornbook.teacher.store import AnswerStore

    with desk() as (_, url):
        store = AnswerStore(classroom.run().store("teacher"))
        store.open_batch(url, [("f" * 32, Spent(9.0, 1, 1))])
        classroom.ask(questions(2), teacher_url=url, **BATCH)
        assert store.open_batches() == []
        assert store.spent(["f" * 32]) == Spent(0.0, 0, 0)


def test_a_cap_holds_over_batches(classroom: Classroom) -> None:
    cap = 0.004
    with desk() as (odd, url):
        for _ in range(2):
            with pytest.raises(BudgetError, match=r"max_cost_usd=0.004 is reached"):
                classroom.ask(questions(60), teacher_url=url, max_cost_usd=cap, **BATCH)
        bought = sum(odd.created)
        assert 0 < bought < 60
        assert classroom.last.measures["spent_usd"] <= cap


def test_a_refused_batch_and_an_endpoint_without_batches_are_named(classroom: Classroom) -> None:
    def fail(batch: dict[str, Any]) -> dict[str, Any]:
        message = {"code": "bad", "message": "unknown model", "line": 1, "param": None}
        batch |= {"status": "failed", "output_file_id": None,
                  "errors": {"object": "list", "data": [message]}}  # fmt: skip
        return batch

    with desk() as (odd, url):
        odd.on_create = fail
        with pytest.raises(TeacherError, match=r"refused batch batch-\d+: unknown model"):
            classroom.ask(questions(2), teacher_url=url, **BATCH)
    other = Classroom(classroom.root / "other")
    with pytest.raises(TeacherError, match=r"Batch API failed.*HORNBOOK_TRANSPORT=chat"):
        other.ask(questions(2), **BATCH)  # the embedded teacher has no files


def test_batches_and_ray_exclude_each_other(classroom: Classroom) -> None:
    with pytest.raises(ConfigError, match=r"transport=batch and runtime\.compute=ray"):
        classroom.ask(questions(1), compute="ray", **BATCH)


def test_a_key_that_the_batch_api_repeats_is_struck_out(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeat(batch: dict[str, Any]) -> dict[str, Any]:
        raise BadRequestError(401, "bad key sk-secret-1234")

    monkeypatch.setenv("THE_KEY", "sk-secret-1234")
    with desk() as (odd, url):
        odd.list = lambda: repeat({})  # type: ignore[method-assign]
        with pytest.raises(TeacherError, match=r"status_401.*bad key \*\*\*") as raised:
            classroom.ask(questions(1), teacher_url=url, teacher_key_env="THE_KEY", **BATCH)
    assert "sk-secret" not in str(raised.value)


def test_a_twin_that_comes_after_its_answer_is_not_asked_again(classroom: Classroom) -> None:
    with desk() as (odd, url):
        twins = [*questions(40), *questions(40)]
        answers = classroom.ask(twins, teacher_url=url, **(BATCH | {"batch_requests": 2}))
        assert sum(odd.created) == 40
    assert answers[:40] == answers[40:]
