"""Several endpoints share the work by weight; one that fails is left alone, not all of them."""

import time
from typing import Any

import pytest

from hornbook.errors import BudgetError, ConfigError, TeacherError
from hornbook.runtime import Endpoint, load_runtime
from hornbook.teacher import endpoints
from hornbook.teacher.ask import ask_all
from tests.made_run import CONF
from tests.teacher_ask.conftest import TEACHER, Classroom, questions
from tests.teacher_ask.faults import Fault, always, serving

SLOW = always(Fault(sleep=0.005))


def test_requests_are_shared_by_weight(classroom: Classroom) -> None:
    with serving(SLOW) as one, serving(SLOW) as other:
        pair = [Endpoint(url=one.url, weight=3), Endpoint(url=other.url)]
        answers = classroom.ask(questions(80), endpoints=pair, concurrency=6)
        shares = len(one.asked), len(other.asked)
    assert sum(shares) == 80
    assert 50 <= shares[0] <= 70
    assert answers == Classroom(classroom.root / "alone").ask(questions(80))


def test_an_endpoint_may_know_the_model_by_another_name(classroom: Classroom) -> None:
    with serving() as server:
        known = [Endpoint(url=server.url, model="org/its-name")]
        classroom.ask(questions(2), endpoints=known)
        assert {body["model"] for body in server.asked} == {"org/its-name"}
        again = classroom.ask(questions(2), endpoints=[Endpoint(url=server.url)])
        assert len(server.asked) == 2  # the answer's identity is the teacher's name for it
    assert all(answer.failure is None for answer in again)


def test_each_endpoint_gets_its_own_key(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_A", "a-key")
    monkeypatch.setenv("KEY_B", "b-key")
    with serving() as one, serving() as other:
        pair = [Endpoint(url=one.url, key_env="KEY_A"), Endpoint(url=other.url, key_env="KEY_B")]
        classroom.ask(questions(8), endpoints=pair)
        assert (set(one.keys), set(other.keys)) == ({"Bearer a-key"}, {"Bearer b-key"})


def test_what_one_endpoint_refuses_another_answers(classroom: Classroom) -> None:
    with serving(always(Fault(status=401))) as bad, serving(SLOW) as good:
        pair = [Endpoint(url=bad.url), Endpoint(url=good.url)]
        answers = classroom.ask(questions(20), endpoints=pair, concurrency=2)
        assert len(bad.asked) <= 2
    assert all(answer.failure is None for answer in answers)


def test_an_endpoint_that_is_away_costs_no_attempt_while_another_answers(
    classroom: Classroom,
) -> None:
    with serving() as gone:
        away = gone.url
    with serving(SLOW) as good:
        pair = [Endpoint(url=away), Endpoint(url=good.url)]
        answers = classroom.ask(questions(30), endpoints=pair, concurrency=3)
    assert all(answer.failure is None for answer in answers)


def test_when_all_refuse_every_one_is_named(classroom: Classroom) -> None:
    refuse = always(Fault(status=403))
    with serving(refuse) as one, serving(refuse) as other:
        pair = [Endpoint(url=one.url), Endpoint(url=other.url)]
        with pytest.raises(TeacherError, match=rf"{one.url} refused.*; .*{other.url} refused"):
            classroom.ask(questions(9), endpoints=pair)


def test_the_breaker_lets_one_request_through_until_the_endpoint_works(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "FIRST_REST_SECONDS", 0.05)
    down = 30

    def plan(number: int, body: dict[str, Any]) -> Fault:
        return Fault(status=503, sleep=0.01) if number < down else Fault()

    with serving(plan) as server:
        answers = classroom.ask(questions(40), teacher_url=server.url, concurrency=16)
        assert len(server.asked) == down + 40
    assert all(answer.failure is None for answer in answers)
    # 16 were under way when it tripped; each later one had to try alone
    assert classroom.last.measures["failures"] == {"status_503": down}


def test_while_tripped_there_is_one_call_at_a_time(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []

    def plan(number: int, body: dict[str, Any]) -> Fault:
        if 20 < number < 40:
            together.append(server.in_flight)
        return Fault(status=500, sleep=0.01) if number < 40 else Fault()

    with serving(plan) as server:
        classroom.ask(questions(20), teacher_url=server.url, concurrency=8)
    assert set(together) == {1}


def test_the_pace_of_an_endpoint_is_kept(classroom: Classroom) -> None:
    with serving() as server:
        started = time.monotonic()
        # a burst of 3 s is 30 requests; the other 10 come at ten a second
        classroom.ask(questions(40), teacher_url=server.url, concurrency=8,
                      requests_per_minute=600)  # fmt: skip
        assert 0.7 < time.monotonic() - started < 3


def test_a_cap_on_tokens_holds_and_says_so(classroom: Classroom) -> None:
    with serving() as server:
        with pytest.raises(
            BudgetError, match=r"max_total_tokens=3000 is reached.*tokens are spent"
        ):
            classroom.ask(questions(60), teacher_url=server.url, concurrency=8,
                          max_total_tokens=3000)  # fmt: skip
        assert 0 < server.answered < 60
        assert classroom.last.measures["spent_tokens"] <= 3000


def test_a_call_of_unknown_outcome_counts_as_much_as_it_could_have_cost(
    classroom: Classroom,
) -> None:
    with serving(lambda n, _: Fault(drop=n == 0)) as server:
        classroom.ask(questions(1), teacher_url=server.url)
    spent = classroom.last.measures["spent_usd"]
    whole = classroom.ask(questions(1))[0].cost_usd
    assert spent == pytest.approx(whole + 400 * 2 / 1e6, rel=0.2)  # max_tokens at their price


def test_the_requests_may_be_a_stream_that_is_never_held(classroom: Classroom) -> None:
    passes = 0

    def stream() -> Any:
        nonlocal passes
        passes += 1
        yield from questions(1200)

    answers = ask_all(classroom.run(concurrency=16), TEACHER, stream)
    assert sum(1 for answer in answers if answer.failure is None) == 1200
    assert passes == 2


def test_two_ways_to_name_endpoints_at_once_are_refused(classroom: Classroom) -> None:
    with pytest.raises(
        ConfigError, match=r"teacher_url=http://a/v1 and runtime.endpoints are both"
    ):
        classroom.ask(questions(1), teacher_url="http://a/v1", endpoints=[Endpoint(url="http://b")])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[{url: 'http://a/v1', wait: 2}]", r"runtime.endpoints.0.wait=2 in the .*HORNBOOK_ENDPOI"),
        ("[{url: 'http://a/v1', weight: -1}]", r"endpoints.0.weight=-1.*greater than 0"),
        ("[{weight: 1}]", r"endpoints.0.url=.*Field required; the keys are concurrency, key_env"),
        ("http://a", r"runtime.endpoints='http://a'.*valid list; the keys are batch_requests"),
    ],
)
def test_a_wrong_endpoint_is_named_with_the_keys_it_may_have(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("HORNBOOK_ENDPOINTS", value)
    with pytest.raises(ConfigError, match=message):
        load_runtime(CONF.parent)
