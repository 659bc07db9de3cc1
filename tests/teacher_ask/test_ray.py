"""The callers on Ray's workers: the same answers, the books kept here."""

import pytest

from hornbook.errors import ConfigError
from tests.teacher_ask.conftest import Classroom, questions
from tests.teacher_ask.faults import Fault, serving


def test_without_ray_the_remedy_is_named(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match=r"needs Ray.*pip install ray"):
        classroom.ask(questions(1), compute="ray")


def test_two_workers_give_the_answers_of_this_process(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with serving(lambda n, _: Fault(status=500 if n % 9 == 0 else 200)) as server:
        answers = classroom.ask(questions(60), teacher_url=server.url, compute="ray", workers=2,
                                concurrency=8)  # fmt: skip
        assert server.answered == 60
        again = classroom.ask(questions(60), teacher_url=server.url, compute="ray", workers=2)
        assert server.answered == 60
    assert answers == again == Classroom(classroom.root / "local").ask(questions(60))
    assert classroom.last.measures["asked"] == 0


@pytest.mark.slow
def test_the_embedded_teacher_writes_on_both_workers(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    answers = classroom.ask(questions(30), compute="ray", workers=2, concurrency=4)
    assert answers == Classroom(classroom.root / "local").ask(questions(30))
