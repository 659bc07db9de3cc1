"""pass@k: the estimate is that of all choices of k programs; what is drawn is drawn again."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from hornbook.compose import compose
from hornbook.errors import ConfigError
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.greedy import Draw, Job, Tokens
from hornbook.evaluate.programs import definition, pass_at, run_programs_task
from hornbook.train.resolve import resolve
from tests.conftest import ROOT
from tests.evaluate.test_lm import Letters, folder, lm, made  # noqa: F401 - fixtures
from tests.made_run import conf


@pytest.mark.parametrize(("n", "c", "k"), [(5, 0, 2), (5, 2, 1), (5, 2, 3), (6, 1, 6), (7, 5, 3)])
def test_the_estimate_is_the_share_of_all_choices_that_hold_a_program_that_passes(n, c, k):
    choices = list(combinations([1] * c + [0] * (n - c), k))
    assert pass_at(k, n, c) == pytest.approx(sum(map(max, choices)) / len(choices), abs=1e-15)


def test_the_estimate_is_unbiased():
    rng = np.random.default_rng(0)
    passed = (rng.random((20_000, 10)) < 0.2).sum(1)
    found = np.mean([pass_at(3, 10, int(one)) for one in passed])
    assert found == pytest.approx(1 - 0.8**3, abs=0.006)
    plugged = np.mean([1 - (1 - one / 10) ** 3 for one in passed])  # which is too low
    assert plugged < 1 - 0.8**3 - 0.02


def test_the_estimate_holds_where_the_number_of_choices_is_huge():
    assert pass_at(500, 2000, 1) == pytest.approx(0.25, abs=1e-12)
    assert pass_at(1000, 2000, 1500) == 1.0


PROMPTS = ["Hello", "Once upon a time", "a"]


def draws(number, temperature=1.0):
    return [Draw(100 * number + place, temperature) for place in range(len(PROMPTS))]


def test_a_drawn_text_depends_on_its_stream_and_not_on_its_batch(lm, folder, tmp_path):  # noqa: F811
    stops = [[], ["e"], []]
    together = lm.generate(PROMPTS, stops, draws=draws(1))
    (tmp_path / "apart").mkdir()
    apart = made(folder, tmp_path / "apart", rows=1)
    alone = [apart.generate([p], [s], draws=[d])[0]
             for p, s, d in zip(PROMPTS, stops, draws(1), strict=True)]  # fmt: skip
    assert together == alone
    assert lm.generate(PROMPTS, stops, draws=draws(2)) != together
    assert lm.generate(PROMPTS, stops) != together


def test_at_a_temperature_near_nothing_the_likeliest_text_is_drawn(lm):  # noqa: F811
    greedy = lm.generate(PROMPTS, [[]] * 3)
    assert lm.generate(PROMPTS, [[]] * 3, draws=draws(1, 1e-6)) == greedy


def test_tokens_are_drawn_as_often_as_they_are_likely():
    class Three(Letters):
        tokens = 3

    jobs = [Job([1], [], Draw(seed, 2.0)) for seed in range(4000)]
    tokens = Tokens(jobs, 3, Three(), torch.device("cpu"))
    logits = torch.tensor([[2.0, -1e9, 0.0, 50.0]]).repeat(4000, 1)  # the last is no token
    expected = [np.e / (np.e + 1), 0.0, 1 / (np.e + 1)]
    for step in range(3):
        found = tokens.next(logits, range(4000), step).bincount(minlength=4) / 4000
        assert found.tolist() == pytest.approx([*expected, 0.0], abs=0.025)


@pytest.fixture(scope="module")
def settings():
    values = resolve(conf("evaluate", "sample"), context_tokens=128, name="evaluate")
    found = TypeAdapter(Evaluate).validate_python(values)
    return replace(found, sandbox=replace(found.sandbox, mode="rlimit"))


class Writer:
    """Writes a right program wherever the last number of the stream's seed is even."""

    shortened = 0

    def __init__(self):
        self.drawn = []

    def generate(self, prompts, stops, most=None, draws=None):  # noqa: ARG002
        self.drawn += draws or []
        right = [one.seed % 2 == 0 for one in draws] if draws else [True] * len(prompts)
        return ["\n    return a + b" if one else "\n    return a" for one in right]


@pytest.fixture
def benchmarks(tmp_path):
    (tmp_path / "micro").mkdir()
    rows = [
        {"id": str(n), "prompt": f"def add{n}(a, b):", "canonical": "\n    return a + b",
         "tests": [f"assert add{n}(1, {n + 1}) == {n + 2}"]}
        for n in range(2)
    ]  # fmt: skip
    (tmp_path / "micro" / "micro_add.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def test_each_k_is_a_cell_over_the_same_programs(settings, benchmarks):
    several = replace(settings, samples=4, pass_at=[2, 1])
    writer = Writer()
    cells, scored = run_programs_task("micro_add", writer, several, benchmarks, 1)
    right = [sum(one.seed % 2 == 0 for one in writer.drawn[n : n + 4]) for n in (0, 4)]
    assert len(set(writer.drawn)) == 8
    assert 0 < sum(right) < 8
    assert [cell.metric for cell in cells] == ["pass@1 (rlimit)", "pass@2 (rlimit)"]
    for cell, k in zip(cells, (1, 2), strict=True):
        expected = sum(pass_at(k, 4, one) for one in right) / 2
        assert cell.value == pytest.approx(expected, abs=1e-6)
        assert [one.score for one in scored if one.metric == cell.metric] == [
            pass_at(k, 4, one) for one in right
        ]
    more = Writer()
    run_programs_task("micro_add", more, replace(several, samples=6), benchmarks, 1)
    assert more.drawn[:4] == writer.drawn[:4]  # a further sample shifts none


def test_one_program_is_the_likeliest_and_needs_no_draw(settings, benchmarks):
    writer = Writer()
    cells, _ = run_programs_task("micro_add", writer, settings, benchmarks, 1)
    assert writer.drawn == []
    assert [(cell.metric, cell.value) for cell in cells] == [("pass@1 (rlimit)", 1.0)]


def test_temperature_and_seed_are_of_the_definition_only_where_programs_are_drawn(settings):
    rows = [{"id": "0", "prompt": "p"}]
    hotter = replace(settings, temperature=1.5)
    assert definition(rows, hotter) == definition(rows, settings)
    assert definition([{"id": "0", "prompt": "q"}], settings) != definition(rows, settings)
    longer = replace(settings, new_tokens=settings.new_tokens + 1)
    assert definition(rows, longer) != definition(rows, settings)
    several = replace(settings, samples=2)
    assert definition(rows, several) != definition(rows, replace(several, temperature=1.5))


@pytest.mark.parametrize("wrong", [[2], [0], [1, 1], []])
def test_more_programs_are_asked_for_than_there_are(settings, wrong):
    with pytest.raises(ValidationError, match="pass_at"):
        replace(settings, pass_at=wrong)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("evaluate.pass_at=[1,10]", r"pass_at=\[1, 10\] with samples=1: expected numbers from 1"),
        ("evaluate.suites.choice=[piqua]", "suites.choice has 'piqua'; there are agieval, "),
        ("evaluate.suites.choice=[mbpp]", "'mbpp', which belongs to suites.code"),
        ("evaluate.suites.code=[piqa]", "'piqa', which belongs to suites.choice or suites.gen"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_compose(override, message):
    with pytest.raises(ConfigError, match=message):
        compose(ROOT, [override])


def test_a_program_that_had_other_limits_is_of_another_definition(settings):
    rows = [{"id": "0", "prompt": "p"}]
    before = definition(rows, settings)
    for limit, value in (("wall_seconds", 9.0), ("memory_mib", 64), ("mode", "bubblewrap")):
        other = replace(settings, sandbox=replace(settings.sandbox, **{limit: value}))
        assert definition(rows, other) != before, limit
    assert definition(rows, replace(settings, resamples=7)) == before
