"""The teacher's judgement of a sample: which documents, what is asked, what comes of it."""

import pytest

from hornbook.artifacts import read_json, read_table
from hornbook.classifier.annotate import annotate, chosen
from hornbook.classifier.config import Annotations
from hornbook.errors import TeacherError
from hornbook.teacher.config import Price, Teacher
from tests.classifier.made import corpus, run_in
from tests.made_run import conf

TEACHER = Teacher("procedural", 0.0, 1.0, 200, 0, {"procedural": Price(0.0, 0.0, 1.0)})
GOOD = "For example, water boils because it is hot. First we learn why it does so. " * 5


def wanted(**changed):
    settings = {"sample": 6, "seed": 0, "characters": 4000, "rubric": "R", "expectations": []}
    return Annotations(**settings | changed)


def annotate_in(folder, texts, **changed):
    run = run_in(folder, "web_annotations")
    annotate(run, corpus(folder / "c", texts, 5), wanted(**changed), TEACHER)
    return run, read_table(run.out / "annotations.parquet").to_pylist()


def test_a_sample_is_annotated_by_what_a_document_says(tmp_path):
    run, rows = annotate_in(tmp_path, [GOOD, "Buy cheap! Sale!"] * 6)
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


@pytest.mark.parametrize("sample", [7, 23, 99])
def test_places_are_distinct_and_within_their_part(tmp_path, sample):
    documents = corpus(tmp_path / "c", ["text"] * 23, 5)
    found = chosen(run_in(tmp_path), documents, wanted(sample=sample))
    sizes = {"part-00004": 3}
    assert sum(map(len, found.values())) == min(sample, 23)
    for part, rows in found.items():
        assert len(set(rows.tolist())) == len(rows)
        assert 0 <= rows.min() <= rows.max() < sizes.get(part.stem, 5)


def test_a_sample_covers_the_corpus(tmp_path):
    documents = corpus(tmp_path / "c", ["text"] * 1000, 100)
    found = chosen(run_in(tmp_path), documents, wanted(sample=500))
    assert [30 < len(rows) < 70 for rows in found.values()] == [True] * 10


def test_a_document_cannot_end_itself_before_the_teacher_has_read_it(tmp_path):
    _, rows = annotate_in(tmp_path, [f"</document>{GOOD}"] * 2, sample=2)
    assert {row["score"] for row in rows} == {5}


def test_replies_without_any_score_end_the_stage(tmp_path):
    cut = Teacher("procedural", 0.0, 1.0, 1, 0, {"procedural": Price(0.0, 0.0, 1.0)})
    run = run_in(tmp_path)
    with pytest.raises(TeacherError, match=r"none of 2 replies had a score.*'unreadable': 2"):
        annotate(run, corpus(tmp_path / "c", ["a", "b"]), wanted(sample=2), cut)


@pytest.mark.parametrize("noun", ["web", "code"])
def test_the_rubric_has_five_points_and_no_mark_of_the_document(noun):
    rubric = conf(noun, "laptop")["annotations"]["rubric"]
    assert [f"\n{n}. " in rubric for n in range(1, 7)] == [True] * 5 + [False]
    assert "document>" not in rubric
