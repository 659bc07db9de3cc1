"""An estimate is arithmetic that a reader can follow, from conf or from what was measured."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hornbook.books.estimate import estimate, lines, main
from hornbook.errors import BudgetError, ConfigError, InputError
from tests.books.conftest import Workspace
from tests.made_run import CONF, conf

ROOT = CONF.parent


@pytest.fixture
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    (workspace.root / "conf" / "runtime").symlink_to(CONF / "runtime")
    monkeypatch.chdir(workspace.root)
    (workspace.root / "params.yaml").write_text(yaml.safe_dump(workspace.params), "utf-8")
    return workspace


def openai(params: dict[str, Any]) -> dict[str, Any]:
    return params | {"teacher": conf("teacher", "openai")}


def test_twenty_billion_tokens_are_priced_by_hand_count(here: Workspace) -> None:
    found = estimate(here.root, openai(here.params), tokens=20e9, answer_tokens=800, seconds=12)
    assert found.answers == 25_000_000
    prompt = found.prompt.value * 25_000_000
    assert found.usd == pytest.approx(20_000 * 0.6 + prompt / 1e6 * 0.15)
    assert found.hours == pytest.approx(25_000_000 * 12 / found.concurrency / 3600)


def test_the_papers_scale_is_twenty_billion_at_eight_hundred_tokens(here: Workspace) -> None:
    params = openai(here.params) | {noun: conf(noun, "paper") for noun in ("topics", "books")}
    (here.root / "conf/topics/taxonomy").symlink_to(CONF / "topics" / "taxonomy")
    found = estimate(here.root, params, answer_tokens=800)
    assert found.answers * 800 == 20e9
    assert found.stored is None or found.stored == 0


def test_before_any_call_an_answer_is_as_long_as_it_may_be(here: Workspace) -> None:
    found = estimate(here.root, openai(here.params))
    assert (found.completion.value, found.stored, found.hours) == (2048, 0, None)
    assert "nobody has measured this teacher" in lines(found)[-1]


def test_after_a_run_the_estimate_is_what_was_measured(here: Workspace) -> None:
    here.prepare()
    answers = here.stage("book_answers", concurrency=8)
    summary = yaml.safe_load((answers / "summary.json").read_text("utf-8"))
    found = estimate(here.root, here.params)
    assert found.stored == found.answers == summary["rows"]
    assert found.missing == 0
    assert found.completion.value * found.answers == pytest.approx(summary["completion_tokens"])
    assert found.seconds is not None
    assert estimate(here.root, openai(here.params)).seconds is None


def test_the_slowest_limit_decides_how_long_it_takes(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HORNBOOK_REQUESTS_PER_MINUTE", "500")
    found = estimate(here.root, openai(here.params), tokens=8e6, answer_tokens=800, seconds=1.28)
    assert found.answers == 10_000
    assert found.hours == pytest.approx(10_000 / 500 / 60)
    monkeypatch.setenv("HORNBOOK_TOKENS_PER_MINUTE", "1000")
    slower = estimate(here.root, openai(here.params), tokens=8e6, answer_tokens=800, seconds=1.28)
    each = slower.prompt.value + 800
    assert slower.hours == pytest.approx(10_000 * each / 1000 / 60)
    assert "1,000 tokens a minute" in lines(slower)[-1]


def test_endpoints_add_up_and_a_batch_costs_its_share(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = "[{url: 'http://a/v1', concurrency: 8}, {url: 'http://b/v1'}]"
    monkeypatch.setenv("HORNBOOK_ENDPOINTS", pair)
    found = estimate(here.root, openai(here.params), answer_tokens=100, seconds=1)
    assert found.concurrency == 8 + 32
    monkeypatch.setenv("HORNBOOK_TRANSPORT", "batch")
    batch = estimate(here.root, openai(here.params), answer_tokens=100, seconds=1)
    assert batch.usd == pytest.approx(found.usd / 2)
    assert "times 0.5 in batches" in "\n".join(lines(batch))


def test_a_cap_that_would_stop_the_stage_is_said_before(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HORNBOOK_MAX_TOTAL_TOKENS", "1000")
    told = lines(estimate(here.root, here.params))
    assert told[-1].endswith("runtime.max_total_tokens stops the stage before its end")


def test_the_command_prints_it_and_writes_nothing(
    here: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.root.rglob("*"))
    assert main(["estimate", "--tokens", "1e6", "--answer-tokens", "500"]) == 0
    out = capsys.readouterr().out
    assert "2,000" in out
    assert "1,000,000  500 an answer (--answer-tokens)" in out
    assert sorted(here.root.rglob("*")) == before


def test_overrides_are_composed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["estimate", "scale=smoke", "books.answers.count=77", "--answer-seconds", "1"]) == 0
    assert re.search(r"answers +77 ", capsys.readouterr().out)


def test_what_cannot_be_estimated_is_said(here: Workspace, tmp_path: Path) -> None:
    unpriced = openai(here.params)
    unpriced["teacher"] = unpriced["teacher"] | {"model": "new-model"}
    with pytest.raises(BudgetError, match="prices has no 'new-model'"):
        estimate(here.root, unpriced)
    with pytest.raises(InputError, match="--tokens=-1: expected a positive number"):
        main(["estimate", "--tokens", "-1"])


def test_an_unknown_scale_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match="did you mean scale=paper"):
        main(["estimate", "scale=papr"])
