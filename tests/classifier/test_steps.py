"""Annotate, fit, score and filter as stages: what is refused, and where the threshold lies."""

import numpy as np
import pyarrow as pa
import pytest

from hornbook.artifacts import read_documents, read_json, read_table, write_documents, write_table
from hornbook.classifier import linear
from hornbook.classifier.annotate import annotate
from hornbook.classifier.config import Annotations, Filter, Fit, Scores
from hornbook.classifier.steps import filter_corpus, fit_classifier, score_corpus
from hornbook.errors import InputError, TeacherError
from hornbook.teacher.config import Price, Teacher
from tests.made_run import made_run

FIT = Fit(features=512, l2=0.1, held_out=0.25, positive_from=3, seed=0)
TEACHER = Teacher("procedural", 0.0, 1.0, 200, 0, {"procedural": Price(0.0, 0.0, 1.0)})


def corpus(folder, texts):
    rows = [{"id": f"d{n}", "text": text, "source": "s"} for n, text in enumerate(texts)]
    write_documents(folder, rows)
    return folder


def annotations(folder, scores):
    rows = [{"id": f"d{n}", "score": score, "reason": ""} for n, score in enumerate(scores)]
    write_table(folder / "annotations.parquet", pa.Table.from_pylist(rows))
    return folder


def run_in(folder, name="web_filter"):
    return made_run(folder, name, reads=[], params={})


@pytest.mark.parametrize("scores", [[3] * 12, [2] * 12])
def test_annotations_on_one_side_of_the_border_are_refused(tmp_path, scores):
    documents = corpus(tmp_path / "c", ["a text"] * 12)
    with pytest.raises(InputError, match=r"all 12 annotations.*web\.classifier\.positive_from=3"):
        fit_classifier(
            run_in(tmp_path, "web_classifier"), documents, annotations(tmp_path / "a", scores), FIT
        )


def test_a_fit_is_judged_on_a_quarter_and_scores_every_document(tmp_path):
    texts = ["explain why because example", "buy cheap sale now"] * 20
    documents = corpus(tmp_path / "c", texts)
    fitted = run_in(tmp_path, "web_classifier")
    fit_classifier(fitted, documents, annotations(tmp_path / "a", [5, 0] * 20), FIT)
    summary = read_json(fitted.out / "summary.json")
    assert (summary["rows"], summary["held_out"], summary["f1"]) == (40, 10, 1.0)
    scored = run_in(tmp_path, "web_scores")
    score_corpus(scored, documents, fitted.out, Scores([]))
    rows = read_table(scored.out / "scores.parquet").to_pylist()
    expected = linear.predict(linear.load(fitted.out), texts)
    assert [row["id"] for row in rows] == [f"d{n}" for n in range(40)]
    assert [row["score"] for row in rows] == expected.tolist()


def test_a_score_at_the_threshold_is_kept_and_one_below_is_not(tmp_path):
    documents = corpus(tmp_path / "c", ["one", "two", "three"])
    table = pa.table({"id": ["d0", "d1", "d2"], "score": [2.499, 2.5, 2.501]})
    write_table(tmp_path / "s" / "scores.parquet", table)
    run = run_in(tmp_path)
    filter_corpus(run, documents, tmp_path / "s", Filter(2.5, []))
    assert [(row["id"], row["score"]) for row in read_documents(run.out)] == [
        ("d1", 2.5),
        ("d2", 2.501),
    ]
    assert read_json(run.out / "summary.json")["dropped"] == {"below_threshold": 1}
    with pytest.raises(InputError, match=r"no document of 3 reaches web\.filter.*is 2\.501"):
        filter_corpus(run, documents, tmp_path / "s", Filter(2.502, []))


def test_predictions_stay_on_the_scale_of_the_annotations():
    for intercept, score in ((-1.0, 0.0), (9.0, 5.0), (2.5004, 2.5)):
        weights = np.append(np.zeros(16), intercept)
        assert linear.predict(weights, ["any text"]).tolist() == [score]


def annotate_in(folder, texts, **changed):
    settings = {"sample": 6, "seed": 0, "characters": 4000, "rubric": "R", "expectations": []}
    run = run_in(folder, "web_annotations")
    annotate(run, corpus(folder / "c", texts), Annotations(**settings | changed), TEACHER)
    return run, read_table(run.out / "annotations.parquet").to_pylist()


def test_a_sample_is_annotated_by_what_a_document_says(tmp_path):
    good = "For example, water boils because it is hot. First we learn why it does so. " * 5
    run, rows = annotate_in(tmp_path, [good, "Buy cheap! Sale!"] * 6)
    assert len(rows) == len({row["id"] for row in rows}) == 6
    assert {int(row["id"][1:]) % 2: row["score"] for row in rows} == {0: 5, 1: 0}
    assert read_json(run.out / "summary.json")["rows"] == 6


def test_another_seed_draws_another_sample_and_the_same_one_the_same(tmp_path):
    texts = [f"Text {n} is here." for n in range(40)]
    drawn = [
        [row["id"] for row in annotate_in(tmp_path / name, texts, seed=seed)[1]]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_replies_without_any_score_end_the_stage(tmp_path):
    cut = Teacher("procedural", 0.0, 1.0, 1, 0, {"procedural": Price(0.0, 0.0, 1.0)})
    settings = Annotations(2, 0, 100, "R", [])
    with pytest.raises(TeacherError, match=r"none of 2 replies had a score.*'unreadable': 2"):
        annotate(run_in(tmp_path), corpus(tmp_path / "c", ["a", "b"]), settings, cut)
