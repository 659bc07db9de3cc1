"""A suite asks the model what it was not asked before, and only a checkpoint that is whole."""

import shutil
from dataclasses import replace

import pytest

from hornbook.errors import ArtifactError
from hornbook.evaluate import lm as asking
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.evaluate import evaluate
from hornbook.stage import Run
from tests.evaluate.test_evaluate_seed import asked, root  # noqa: F401 - a fixture
from tests.evaluate.test_lm import Letters


@pytest.fixture
def rows(monkeypatch):
    """Every row that a model scores."""
    seen = []
    score = asking.score

    def noted(model, rows, *rest):
        seen.extend(rows)
        return score(model, rows, *rest)

    monkeypatch.setattr(asking, "score", noted)
    return seen


def run(root, tasks):  # noqa: F811
    shutil.rmtree(root / ".pending", ignore_errors=True)
    stage = asked(root, "evaluate@toy-micro", "train/toy", {"micro": tasks})
    evaluate(stage)
    return (stage.out / "results.json").read_text()


def test_a_further_benchmark_computes_only_itself(root, rows):  # noqa: F811
    first = run(root, ["micro_mind"])
    old = set(rows)
    assert old
    rows.clear()
    assert run(root, ["micro_mind"]) == first
    assert rows == []
    run(root, ["micro_mind", "micro_steps"])
    assert rows
    assert old.isdisjoint(rows)


def test_other_code_does_not_trust_what_older_code_answered(root, rows, monkeypatch):  # noqa: F811
    run(root, ["micro_mind"])
    asked_first = list(rows)
    rows.clear()
    monkeypatch.setattr(asking, "arithmetic", lambda: "of another release")
    run(root, ["micro_mind"])
    assert rows == asked_first


def test_what_other_threads_answered_is_not_taken_for_the_same(root, rows, monkeypatch):  # noqa: F811
    run(root, ["micro_mind"])
    asked_first = list(rows)
    rows.clear()
    section = Run.section
    monkeypatch.setattr(
        Run, "section",
        lambda self, key, kind: replace(found, threads=2)
        if isinstance(found := section(self, key, kind), Evaluate) else found,
    )  # fmt: skip
    run(root, ["micro_mind"])
    assert rows == asked_first


def test_requests_that_do_not_fit_are_counted_in_the_cell(root, capsys):  # noqa: F811
    folder = root / "benchmarks" / "micro"
    line = '{"id": "m-%d", "context": "%s", "choices": [" bag", " box"], "answer": 0}\n'
    long = "".join(line % (n, "word " * (5 + 95 * n)) for n in range(2))
    (folder / "micro_mind.jsonl").write_text(long)
    assert '"shortened": 2' in run(root, ["micro_mind"])
    assert "2 requests lost their beginning" in capsys.readouterr().out


def test_a_tokenizer_with_more_ids_than_the_model_has_rows_is_an_error(root, monkeypatch):  # noqa: F811
    monkeypatch.setattr(Letters, "tokens", 258)
    with pytest.raises(ArtifactError, match="ids up to 257, the model's embedding 257 rows"):
        run(root, ["micro_mind"])
