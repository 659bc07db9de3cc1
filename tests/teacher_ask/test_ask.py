"""Asking survives what endpoints do, pays for nothing twice, and answers in order."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from hornbook.errors import BudgetError, TeacherError
from hornbook.teacher import ask, client
from hornbook.teacher.config import Price
from hornbook.teacher.requests import Request
from tests.teacher_ask.conftest import TEACHER, Classroom, digest, questions
from tests.teacher_ask.faults import Fault, always, once, serving

ANSWER = Fault()


def variation(body: dict[str, Any]) -> str:
    return body["messages"][0]["content"].rpartition(" ")[2]


def test_answers_come_in_the_order_of_the_requests_whatever_the_concurrency(
    classroom: Classroom, tmp_path: Any
) -> None:
    slow_first = serving(once(Fault(sleep=0.1)))
    with slow_first as server:
        alone = classroom.ask(questions(20), teacher_url=server.url, concurrency=16)
        assert server.most_in_flight > 1
    one_by_one = Classroom(tmp_path / "other").ask(questions(20), concurrency=1)
    assert alone == one_by_one
    assert [answer.request_hash for answer in alone] == [digest(one) for one in questions(20)]


def test_no_more_calls_are_in_flight_than_concurrency_says(classroom: Classroom) -> None:
    with serving(always(Fault(sleep=0.02))) as server:
        classroom.ask(questions(12), teacher_url=server.url, concurrency=3)
        assert server.most_in_flight == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=429, headers={"Retry-After": "0.05"}), "status_429"),
        (Fault(status=500), "status_500"),
        (Fault(status=503), "status_503"),
        (Fault(drop=True), "dropped"),
        (Fault(cut=30), "dropped"),
        (Fault(raw=b"{'half"), "malformed"),
        (Fault(raw=b"<html>", headers={"Content-Type": "text/html"}), "malformed"),
        (Fault(raw=b'{"choices": []}'), "malformed"),
        (Fault(raw=b"null"), "malformed"),
        (Fault(sleep=0.6), "timeout"),
    ],
    ids=["429", "500", "503", "drop", "half", "no JSON", "HTML", "no choice", "null", "hang"],
)
def test_a_fault_is_counted_under_its_kind_and_asked_again(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch, fault: Fault, kind: str
) -> None:
    monkeypatch.setattr(client, "REPLY_SECONDS", 0.3)
    with serving(once(fault)) as server:
        answers = classroom.ask(questions(4), teacher_url=server.url, concurrency=2)
        assert len(server.asked) == 5
    assert [answer.failure for answer in answers] == [None] * 4
    assert classroom.last.measures["failures"] == {kind: 1}


def test_retry_after_is_waited_for_by_all_workers(classroom: Classroom) -> None:
    times: list[float] = []

    def plan(number: int, body: dict[str, Any]) -> Fault:
        times.append(time.monotonic())
        return Fault(status=429, headers={"Retry-After": "0.4"}) if number == 0 else ANSWER

    with serving(plan) as server:
        classroom.ask(questions(3), teacher_url=server.url, concurrency=1)
    assert times[1] - times[0] >= 0.4


def test_a_request_that_never_works_is_a_failure_of_its_own(classroom: Classroom) -> None:
    def plan(number: int, body: dict[str, Any]) -> Fault:
        return Fault(status=400 if variation(body) == "2" else 200)

    with serving(plan) as server:
        answers = classroom.ask(questions(5), teacher_url=server.url)
        assert len(server.asked) == 5
    assert [answer.failure for answer in answers] == [None, None, "status_400", None, None]


def test_a_request_is_given_up_after_its_attempts(classroom: Classroom) -> None:
    def plan(number: int, body: dict[str, Any]) -> Fault:
        return Fault(status=500 if variation(body) == "1" else 200)

    with serving(plan) as server:
        answers = classroom.ask(questions(2), teacher_url=server.url)
        assert len(server.asked) == 9
    assert [answer.failure for answer in answers] == [None, "status_500"]


def test_settings_that_refuse_every_request_stop_after_three(classroom: Classroom) -> None:
    with serving(always(Fault(status=422))) as server:
        with pytest.raises(
            TeacherError, match=r"refused the request \(status_422\).*teacher.model"
        ):
            classroom.ask(questions(50), teacher_url=server.url)
        assert len(server.asked) == 3


def test_a_wrong_key_stops_at_once_and_is_never_shown_or_stored(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THE_KEY", "sk-secret-1234")
    echo = Fault(status=401, raw=b'{"error": {"message": "bad key sk-secret-1234"}}')
    with serving(always(echo)) as server:
        with pytest.raises(TeacherError, match=r"status_401.*bad key \*\*\*.*THE_KEY") as raised:
            classroom.ask(questions(9), teacher_url=server.url, teacher_key_env="THE_KEY")
        assert server.keys == ["Bearer sk-secret-1234"]
    assert "sk-secret" not in str(raised.value) + "".join(capsys.readouterr())
    written = [path.read_bytes() for path in classroom.root.rglob("*") if path.is_file()]
    assert written
    assert not any(b"sk-secret" in content for content in written)


def test_a_server_that_is_not_there_is_named_soon(classroom: Classroom) -> None:
    with serving() as server:
        url = server.url
    started = time.monotonic()
    with pytest.raises(TeacherError, match=r"127.0.0.1:\d+/v1 cannot be reached.*tried for \d+ s"):
        classroom.ask(questions(100), teacher_url=url, concurrency=8)
    assert time.monotonic() - started < 3


def test_a_host_that_swallows_packets_is_named_too(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        with pytest.raises(TeacherError, match="cannot be reached"):
            classroom.ask(questions(2), teacher_url=url)
        for one in waiting:
            one.close()


def test_a_server_that_was_there_is_waited_for_and_costs_no_attempt(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "ATTEMPTS", 3)
    with serving() as server:
        url, port = server.url, server.server_address[1]
        classroom.ask(questions(1), teacher_url=url)

    def plan(number: int, body: dict[str, Any]) -> Fault:
        return Fault(drop=True) if number < 2 else ANSWER

    def come_back() -> None:
        time.sleep(0.15)
        with serving(plan, port=port):
            done.wait(5)

    done = threading.Event()
    thread = threading.Thread(target=come_back)
    thread.start()
    answers = classroom.ask(questions(6), teacher_url=url, concurrency=2)
    done.set()
    thread.join()
    assert [answer.failure for answer in answers] == [None] * 6
    assert classroom.last.measures["failures"].keys() == {"unreachable", "dropped"}


def test_a_stored_answer_is_not_asked_again(classroom: Classroom) -> None:
    with serving() as server:
        first = classroom.ask(questions(5), teacher_url=server.url)
        again = classroom.ask(questions(8), teacher_url=server.url)
        assert server.answered == 8
    assert again[:5] == first


def test_the_same_request_twice_is_asked_once(classroom: Classroom) -> None:
    twin = Request("twin", questions(1)[0].messages)
    with serving() as server:
        answers = classroom.ask([*questions(1), twin], teacher_url=server.url)
        assert server.answered == 1
    assert answers[0] == answers[1]


def test_a_model_without_a_price_is_refused_before_any_call(classroom: Classroom) -> None:
    unpriced = replace(TEACHER, prices={"other": Price(prompt=0.0, completion=0.0, batch=1.0)})
    with serving() as server:
        with pytest.raises(BudgetError, match=r"prices has no 'procedural'; it has \['other'\]"):
            classroom.ask(questions(1), unpriced, teacher_url=server.url)
        assert not server.asked


def test_the_cap_holds_under_concurrency_and_over_resumed_runs(classroom: Classroom) -> None:
    cap = 0.003
    with serving(always(Fault(sleep=0.01))) as server:
        for _ in range(2):  # the second run finds the money spent
            with pytest.raises(BudgetError, match=r"max_cost_usd=0.003 is reached.*raise the cap"):
                classroom.ask(questions(60), teacher_url=server.url, concurrency=16,
                              max_cost_usd=cap)  # fmt: skip
        bought = server.answered
        assert 0 < bought < 60
        answers = classroom.ask(questions(60), teacher_url=server.url, concurrency=16)
        assert server.answered == 60
    costs = [answer.cost_usd for answer in answers]
    assert sum(sorted(costs)[:bought]) <= cap < sum(costs)


def test_a_cap_that_is_enough_stops_nobody(classroom: Classroom) -> None:
    total = sum(answer.cost_usd for answer in classroom.ask(questions(10)))
    other = Classroom(classroom.root / "other")
    most_of_one_call = 0.0012
    answers = other.ask(questions(10), concurrency=10, max_cost_usd=total + most_of_one_call)
    assert all(answer.failure is None for answer in answers)
