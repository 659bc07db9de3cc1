"""Labels by hand: which answers they are of, and how far they agree with the judge's."""

import csv
import io

import pytest
from sklearn.metrics import cohen_kappa_score

from hornbook.errors import InputError
from hornbook.red_team.labels import (
    COLUMNS,
    LABELS,
    HandLabel,
    agreement,
    answer_hash,
    matched,
    read_labels,
    to_label,
)
from tests.conftest import ROOT

HEAD = "variant,id,answer_hash,label\n"
ROW = {
    "variant": "v",
    "id": "a",
    "answer_hash": "1f",
    "category": "c",
    "prompt": 'Why, "why"?',
    "good": "g",
    "answer": "one\ntwo, three",
    "label": "",
}


def test_the_file_that_every_clone_has_can_take_rows_as_they_are_given():
    file = ROOT / "conf/red_team/embedded/labels.csv"
    assert tuple(file.read_text("utf-8").splitlines()[0].split(",")) == COLUMNS
    assert read_labels(file) == []


def test_a_table_that_a_person_filled_is_read_as_it_was_given(tmp_path):
    given = list(csv.DictReader(io.StringIO(to_label([ROW, ROW | {"id": "b"}]))))
    assert given == [ROW, ROW | {"id": "b"}]
    filled = to_label([ROW | {"label": " Did not understand "}, ROW | {"id": "b"}])
    file = tmp_path / "labels.csv"
    file.write_bytes(b"\xef\xbb\xbf" + filled.replace("\n", "\r\n").encode())  # from a spreadsheet
    assert read_labels(file) == [HandLabel("v", "a", "1f", "did_not_understand")]


@pytest.mark.parametrize("answer", ["one\rtwo", "one\r\ntwo", "\r", 'a "b"\r, c', "one\ntwo"])
def test_an_answer_keeps_its_line_breaks_and_its_label(tmp_path, answer):
    filled = to_label([ROW | {"answer": answer, "label": "fail"}, ROW | {"id": "b"}])
    assert [row["answer"] for row in csv.DictReader(io.StringIO(filled, newline=""))] == [
        answer,
        ROW["answer"],
    ]
    file = tmp_path / "labels.csv"
    file.write_bytes(filled.encode())
    assert read_labels(file) == [HandLabel("v", "a", "1f", "fail")]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        (" =1", "' =1"),
        ("1=1", "1=1"),
        ("", ""),
    ],
)
def test_no_answer_is_computed_by_a_spreadsheet(tmp_path, answer, shown):
    digest = answer_hash(ROW["prompt"], answer)
    filled = to_label([ROW | {"answer_hash": digest, "answer": answer, "label": "pass"}])
    (row,) = csv.DictReader(io.StringIO(filled))
    assert row["answer"] == shown
    file = tmp_path / "labels.csv"
    file.write_text(filled)
    assert matched(read_labels(file), "v", {"a": digest}) == ({"a": "pass"}, [])


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_no_hash_is_a_number_to_a_spreadsheet():
    hashes = [answer_hash("p", str(n)) for n in range(5000)]
    assert any(is_number(one[1:]) for one in hashes), "the letter is what makes the difference"
    assert not any(map(is_number, hashes))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("variant,id,label\nv,a,pass\n", "has no column answer_hash; .*to_label.csv"),
        (f"{HEAD}v,a,1f,good\n", r"line 2: label 'good' is none of pass, fail, did_not_underst"),
        (f"{HEAD}v,a,1f,pass\nv,a,1f,fail\n", "line 3: a of v is labelled 'fail', and 'pass' in"),
        (
            f"{HEAD}v,a,1f,pass\nv,b,1f\n",
            "the row that ends in line 3 has fewer fields than .*; copy",
        ),
        (f"{HEAD}v,a,1f,no,pass\n", "the row that ends in line 2 has more fields than the heading"),
        (f"{HEAD}v,a,1\rf,pass\n", "the row that ends in line 2 has fewer fields"),
        ("", "has no column answer_hash, id, label, variant"),
    ],
)
def test_what_cannot_be_a_label_is_refused_with_its_line(tmp_path, content, told):
    file = tmp_path / "labels.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=rf"red_team\.labels=.*{told}"):
        read_labels(file)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(b"PK\x03\x04\xff")
    with pytest.raises(InputError, match="is not a CSV in UTF-8"):
        read_labels(file)


def test_a_label_counts_for_the_answer_it_was_given_to_and_for_no_other():
    labels = [
        HandLabel("v", "same", "1", "pass"),
        HandLabel("v", "changed", "old", "fail"),
        HandLabel("v", "gone", "1", "fail"),
        HandLabel("v", "again", "old", "fail"),
        HandLabel("v", "again", "1", "pass"),
        HandLabel("w", "of another", "1", "fail"),
        HandLabel("w", "another's answer", "2", "fail"),
        HandLabel("v", "both", "1", "pass"),
        HandLabel("w", "both", "1", "fail"),
    ]
    names = ("same", "changed", "again", "of another", "another's answer", "both", "unlabelled")
    found, outdated = matched(labels, "v", dict.fromkeys(names, "1"))
    assert found == {"same": "pass", "again": "pass", "of another": "fail", "both": "pass"}
    assert outdated == ["changed", "gone"]


def test_another_prompt_or_answer_is_another_hash():
    found = {answer_hash(p, a) for p, a in (("p", "a"), ("p", "b"), ("q", "a"), ("pa", ""))}
    assert len(found) == 4


@pytest.mark.parametrize("seed", range(5))
def test_agreement_is_that_of_scikit_learn(seed):
    import random

    rng = random.Random(seed)
    ones = rng.choices(LABELS, [5, 2, 3], k=40)
    others = [one if rng.random() < 0.6 else rng.choice(LABELS) for one in ones]
    found = agreement(list(zip(ones, others, strict=True)))
    assert found["n"] == 40
    assert found["raw"] == pytest.approx(sum(map(str.__eq__, ones, others)) / 40)
    assert found["kappa"] == pytest.approx(cohen_kappa_score(ones, others), abs=1e-6)


def test_agreement_of_nothing_and_of_one_label_only_has_no_kappa():
    assert agreement([]) == {"n": 0, "raw": None, "kappa": None}
    assert agreement([("pass", "pass")] * 3) == {"n": 3, "raw": 1.0, "kappa": None}
