"""Asking: what is stored is not asked again, faults are retried, caps hold."""

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hornbook.errors import BudgetError, TeacherError
from hornbook.teacher import ask
from hornbook.teacher.ask import Budget, Message, Request, ask_all
from hornbook.teacher.config import Price, Teacher
from hornbook.teacher.procedural import complete
from tests.made_run import made_run

TEACHER = Teacher("procedural", 0.0, 1.0, 200, 0, {"procedural": Price(0.0, 0.0)})
REQUESTS = [
    Request(f"r{n}", (Message("user", f"Domain: science\nTopic: metal\nVariation: {n}"),))
    for n in range(12)
]


def make_run(folder, **runtime):
    """A real run whose answers lie below `folder`."""
    if not folder.exists():
        folder.mkdir()
    run = made_run(folder, "book_answers", reads=[], params={})
    run.runtime = replace(run.runtime, **runtime)
    return run


@contextmanager
def endpoint(*replies):
    """The address of a server that gives `replies` in their order, the last one for ever.

    A reply is a status with its headers and body; None is what the teacher would say.
    """
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = left.pop(0) if len(left) > 1 else left[0]
            status, headers, data = reply or (200, {}, json.dumps(complete(asked)).encode())
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


BUSY = (429, {"Retry-After": "0"}, b'{"error": {"message": "later"}}')


def test_stored_answers_are_not_asked_again_and_concurrency_changes_nothing(tmp_path):
    one, many = make_run(tmp_path / "a", concurrency=1), make_run(tmp_path / "b", concurrency=16)
    first = list(ask_all(one, TEACHER, REQUESTS))
    assert one.measures["asked"] == len(REQUESTS)
    assert list(ask_all(one, TEACHER, REQUESTS)) == first
    assert one.measures["asked"] == 0
    assert list(ask_all(many, TEACHER, REQUESTS)) == first


def test_a_busy_endpoint_is_asked_again_and_every_call_is_in_the_ledger(tmp_path):
    with endpoint(BUSY, None) as url:
        run = make_run(tmp_path / "c", teacher_url=url)
        answers = list(ask_all(run, TEACHER, REQUESTS[:3]))
    assert answers == list(ask_all(make_run(tmp_path / "d"), TEACHER, REQUESTS[:3]))
    assert run.measures["failures"] == {"status_429": 1}
    with sqlite3.connect(run.store("teacher") / "answers.sqlite") as ledger:
        rows = ledger.execute("SELECT attempt, status FROM ledger ORDER BY rowid").fetchall()
    assert rows == [(0, "status_429"), (1, "answered"), (0, "answered"), (0, "answered")]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b'{"id": "x", "choices": []}'),
        ({}, b'{"id": "x", "choices": null, "usage": null}'),
        ({}, b'{"id": "x", "cho'),
        ({}, b"[]"),
        ({"Content-Type": "text/html"}, b"<html>a proxy</html>"),
    ],
)
def test_a_reply_that_is_no_completion_is_counted_and_asked_again(tmp_path, headers, body):
    with endpoint((200, headers, body), None) as url:
        run = make_run(tmp_path / "m", teacher_url=url)
        (answer,) = ask_all(run, TEACHER, REQUESTS[:1])
    assert answer.failure is None
    assert run.measures["failures"] == {"malformed": 1}


def test_a_question_without_an_answer_is_a_failure_and_the_others_are_answered(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(ask, "FIRST_WAIT_SECONDS", 0.0)
    with endpoint(*[BUSY] * ask.ATTEMPTS, None) as url:
        run = make_run(tmp_path / "n", teacher_url=url)
        lost, answered = ask_all(run, TEACHER, REQUESTS[:2])
    assert (lost.failure, answered.failure) == ("unanswered", None)
    assert run.measures["failures"] == {"status_429": ask.ATTEMPTS}


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_not_asked_again(tmp_path, status):
    with endpoint((status, {}, b'{"error": {"message": "no such key"}}')) as url:
        run = make_run(tmp_path / "o", teacher_url=url)
        with pytest.raises(TeacherError, match=rf"status {status}.*teacher\.model='procedural'"):
            list(ask_all(run, TEACHER, REQUESTS[:1]))


def test_an_endpoint_that_is_not_there_is_named(tmp_path):
    run = make_run(tmp_path / "d", teacher_url="http://127.0.0.1:9/v1")
    with pytest.raises(TeacherError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        list(ask_all(run, TEACHER, REQUESTS))


def test_a_cap_stops_before_it_is_exceeded_and_keeps_what_was_paid_for(tmp_path):
    dear = Teacher("procedural", 0.0, 1.0, 200, 0, {"procedural": Price(1.0, 1000.0)})
    run = make_run(tmp_path / "e", max_cost_usd=0.5, concurrency=4)
    with pytest.raises(BudgetError, match=r"max_cost_usd=0\.5 is reached"):
        list(ask_all(run, dear, REQUESTS))
    with sqlite3.connect(run.store("teacher") / "answers.sqlite") as ledger:
        (spent,) = ledger.execute("SELECT sum(cost_usd) FROM ledger").fetchone()
    assert 0 < spent <= 0.5
    run.runtime = replace(run.runtime, max_cost_usd=None)
    assert len(list(ask_all(run, dear, REQUESTS))) == len(REQUESTS)
    assert run.measures["stored"] == 2  # those in flight when the third was refused


def test_a_reservation_is_refused_only_above_the_cap():
    body = {"messages": [{"role": "user", "content": "x" * 100}], "max_tokens": 100}
    budget = Budget(Price(5000.0, 5000.0), cap_usd=2.0)
    assert budget.reserve(body) == pytest.approx(1.0)
    budget.reserve(body)
    with pytest.raises(BudgetError, match=r"2\.0000 USD spent or in flight"):
        budget.reserve(body)
    budget.settle(1.0, 0.0)
    budget.reserve(body)


def test_a_letter_of_many_bytes_is_reserved_as_that_many_tokens():
    body = {"messages": [{"role": "user", "content": "\N{SNOWMAN}" * 10}], "max_tokens": 0}
    assert Budget(Price(1e6, 1e6), cap_usd=None).reserve(body) == 30.0


def test_a_model_without_a_price_is_refused(tmp_path):
    free = Teacher("procedural", 0.0, 1.0, 200, 0, {})
    with pytest.raises(BudgetError, match=r"teacher\.prices has no 'procedural'"):
        list(ask_all(make_run(tmp_path / "f"), free, REQUESTS))


def test_another_model_needs_an_endpoint(tmp_path):
    other = Teacher("gpt-x", 0.0, 1.0, 200, 0, {"gpt-x": Price(0.0, 0.0)})
    with pytest.raises(TeacherError, match="'gpt-x' needs an endpoint: set HORNBOOK_TEACHER_URL"):
        list(ask_all(make_run(tmp_path / "g"), other, REQUESTS))
