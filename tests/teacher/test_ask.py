"""Asking: what is stored is not asked again, faults are retried, caps hold."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from hornbook.errors import BudgetError, TeacherError
from hornbook.progress import Progress, Reporter
from hornbook.runtime import load_runtime
from hornbook.teacher.ask import Message, Request, ask_all
from hornbook.teacher.config import Price, Teacher
from hornbook.teacher.procedural import complete
from tests.conftest import ROOT

TEACHER = Teacher("procedural", 0.0, 1.0, 200, 0, {"procedural": Price(0.0, 0.0)})
REQUESTS = [
    Request(f"r{n}", (Message("user", f"Domain: science\nTopic: metal\nVariation: {n}"),))
    for n in range(12)
]


def make_run(folder, **runtime):
    """What `ask_all` needs of a run, with the measures it reports."""
    values = vars(load_runtime(ROOT)) | runtime
    run = SimpleNamespace(name="t", measures={}, runtime=SimpleNamespace(**values))
    folder.mkdir(exist_ok=True)
    run.store = lambda _: folder
    run.measure = run.measures.update
    run.log = lambda _: None

    class Bar(Progress):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    run.progress = lambda total, unit, what: Bar(
        Reporter("t"), total=total, unit=unit, what=what, seconds=60
    )
    return run


class Flaky(BaseHTTPRequestHandler):
    """Every second call is refused for the moment."""

    calls = 0

    def do_POST(self):
        Flaky.calls += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 429 if Flaky.calls % 2 else 200
        told = complete(body) if status == 200 else {"error": {"message": "later"}}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_stored_answers_are_not_asked_again_and_concurrency_changes_nothing(tmp_path):
    one, many = make_run(tmp_path / "a", concurrency=1), make_run(tmp_path / "b", concurrency=16)
    first = list(ask_all(one, TEACHER, REQUESTS))
    assert one.measures["asked"] == len(REQUESTS)
    assert list(ask_all(one, TEACHER, REQUESTS)) == first
    assert one.measures["asked"] == 0
    assert list(ask_all(many, TEACHER, REQUESTS)) == first


def test_a_busy_endpoint_is_asked_again(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    run = make_run(tmp_path / "c", concurrency=1, teacher_url=url)
    answers = list(ask_all(run, TEACHER, REQUESTS[:3]))
    server.shutdown()
    assert all(answer.failure is None for answer in answers)
    assert run.measures["failures"]["status_429"] == 3


def test_an_endpoint_that_is_not_there_is_named(tmp_path):
    run = make_run(tmp_path / "d", teacher_url="http://127.0.0.1:9/v1")
    with pytest.raises(TeacherError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        list(ask_all(run, TEACHER, REQUESTS))


def test_a_cap_stops_before_it_is_exceeded(tmp_path):
    dear = Teacher("procedural", 0.0, 1.0, 200, 0, {"procedural": Price(1.0, 1000.0)})
    run = make_run(tmp_path / "e", max_cost_usd=0.5, concurrency=4)
    with pytest.raises(BudgetError, match=r"max_cost_usd=0\.5 is reached"):
        list(ask_all(run, dear, REQUESTS))


def test_a_model_without_a_price_is_refused(tmp_path):
    free = Teacher("procedural", 0.0, 1.0, 200, 0, {})
    with pytest.raises(BudgetError, match=r"teacher\.prices has no 'procedural'"):
        list(ask_all(make_run(tmp_path / "f"), free, REQUESTS))
