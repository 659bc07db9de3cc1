"""Evaluations item by item, on the questions that each side was asked."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from hornbook.diff.items import compare
from hornbook.diff.questions import Questions
from hornbook.lineage.manifest import LockEntry
from hornbook.lineage.workspace import Hasher
from tests.diff.made import pair, said, tables, write_rows

FOLDER = "data/benchmarks"
TESTS = {"significance": 0.05, "flips": 1000, "flips_seed": 1}


def item(number, likelihoods, score, task="micro_steps"):
    detail = json.dumps([[value, False] for value in likelihoods])
    return {"task": task, "metric": "acc", "item": f"{task}/q{number}", "cluster": f"c{number}",
            "score": score, "detail": detail}  # fmt: skip


def ask(root: Path, texts):
    file = root / FOLDER / "micro" / "micro_steps.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"q{n}", "cluster": f"c{n}", "context": text, "choices": [" yes.", " no."],
         "answer": 0}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return Hasher(root).hash(FOLDER)


@pytest.fixture
def root(tmp_path):
    params = {"data": {"benchmarks": FOLDER}, "report": {"tables": TESTS}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    before = [item(0, (-1, -2), 1.0), item(1, (-2, -1), 0.0), item(2, (-1, -3), 1.0)]
    after = [item(0, (-2, -1.5), 0.0), item(1, (-1, -4), 1.0), item(2, (-1, -2), 1.0),
             item(7, (-1, -2), 1.0)]  # fmt: skip
    write_rows(tmp_path / "before" / "items.parquet", before)
    write_rows(tmp_path / "after" / "items.parquet", after)
    return tmp_path


def entry(digest):
    return LockEntry("cmd", {FOLDER: digest}, {}, {"out": ""})


def test_flips_have_their_question_both_answers_and_margins(root):
    asked = entry(ask(root, ["Is it?", "Was it?", "Will it be?"]))
    parts = list(compare(root, pair(root), Questions(root), (asked, asked)))
    assert said(parts) == [
        "3 items answered by both, 2 flipped, 0 scored otherwise, 1 only answered otherwise",
        "0 items only before, 1 only after",
    ]
    flips = next(rows for title, rows in tables(parts).items() if "flipped" in title)
    assert flips == [
        ("right -> wrong", "micro_steps/q0", "Is it?", " yes.", " no.", 1.0, -0.5),
        ("wrong -> right", "micro_steps/q1", "Was it?", " no.", " yes.", -1.0, 3.0),
    ]
    by_task = tables(parts)["by benchmark, items in pairs"]
    assert by_task[0][:6] == ("micro_steps", "acc", 3, 1, 1, 0.0)


def test_a_name_that_asks_something_else_is_not_compared(root):
    before = entry(ask(root, ["Is it?", "Was it?", "Will it be?"]))
    shutil.copytree(root / FOLDER, root / "old")
    after = entry(ask(root, ["Is it?", "Were they?", "Will it be?"]))

    class Known(Questions):
        def _of(self, digest):
            folder = "old" if digest == before.deps[FOLDER] else FOLDER
            shutil.copytree(root / folder, root / "read", dirs_exist_ok=True)
            from hornbook.diff.questions import _questions

            return _questions(root / "read")

    parts = list(compare(root, pair(root), Known(root), (before, after)))
    assert "1 items ask something else under the same name: not compared" in said(parts)
    flips = next(rows for title, rows in tables(parts).items() if "flipped" in title)
    assert [row[1] for row in flips] == ["micro_steps/q0"]


def test_other_questions_that_are_not_here_are_said(root):
    now = entry(ask(root, ["Is it?"]))
    parts = list(compare(root, pair(root), Questions(root), (entry("gone.dir"), now)))
    assert any("a name may ask something else" in sentence for sentence in said(parts))


def test_without_the_questions_items_have_their_names_and_choices_their_numbers(root):
    absent = entry("gone.dir")
    parts = list(compare(root, pair(root), Questions(root), (absent, absent)))
    assert "the questions are not here: dvc pull data" in said(parts)
    flips = next(rows for title, rows in tables(parts).items() if "flipped" in title)
    assert flips[0][1:5] == ("micro_steps/q0", "", "choice 1", "choice 2")


def test_answers_of_an_earlier_form_name_no_metric(root):
    rows = [{k: v for k, v in item(0, (-1, -2), 1.0).items() if k != "metric"}]
    write_rows(root / "before" / "items.parquet", rows)
    absent = entry("gone.dir")
    parts = list(compare(root, pair(root), Questions(root), (absent, absent)))
    assert said(parts)[0].startswith("1 items answered by both, 1 flipped")
