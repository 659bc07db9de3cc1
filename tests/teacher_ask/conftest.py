"""A way to ask that every test shares: its own store, no waiting between retries."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hornbook.stage import Run
from hornbook.teacher import ask, batch, endpoints
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Price, Teacher
from hornbook.teacher.requests import Answer, Message, Request, request_body, request_hash
from tests.made_run import made_run

TEACHER = Teacher(
    model="procedural",
    temperature=0.0,
    top_p=1.0,
    max_tokens=400,
    seed=0,
    prices={"procedural": Price(prompt=1.0, completion=2.0, batch=0.5)},
)


def questions(count: int) -> list[Request]:
    """Distinct questions that the procedural teacher can answer."""
    return [
        Request(f"q{n}", (Message("user", f"Domain: mathematics\nVariation: {n}"),))
        for n in range(count)
    ]


def digest(request: Request) -> str:
    """The identity of a question to `TEACHER`."""
    return request_hash(request_body(TEACHER, request))


class Classroom:
    """Runs with one store between them."""

    def __init__(self, root: Path) -> None:
        self.root, self.runs = root, 0

    def run(self, **runtime: object) -> Run:
        """A run of its own, as a stage has it."""
        self.runs += 1
        made = made_run(self.root, f"book_answers@{self.runs}", reads=[], params={})
        made.runtime = replace(made.runtime, **runtime)
        return made

    def ask(
        self, asked: Sequence[Request], teacher: Teacher = TEACHER, **runtime: object
    ) -> list[Answer]:
        """All answers of a new run; `self.last` is that run."""
        self.last = self.run(**runtime)
        return list(ask_all(self.last, teacher, lambda: asked))


@pytest.fixture
def classroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    monkeypatch.setattr(ask, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(batch, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(endpoints, "FIRST_REST_SECONDS", 0.01)
    monkeypatch.setattr(endpoints, "LONGEST_REST_SECONDS", 0.1)
    monkeypatch.setattr(endpoints, "PATIENCE_SECONDS", {False: 0.3, True: 3.0})
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Classroom(tmp_path)
