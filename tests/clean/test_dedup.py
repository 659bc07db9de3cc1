"""One copy of each text stays, and every removal names a text that is still there."""

import random

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_documents, read_json, read_table, write_documents
from hornbook.clean.config import Clean, Dedup
from hornbook.clean.dedup import dedup
from hornbook.clean.near import jaccard, near_duplicates
from hornbook.clean.words import WordHashes, shingles
from hornbook.errors import ExpectationError
from tests.made_run import conf, file_bytes, made_run

SETTINGS = TypeAdapter(Clean).validate_python(conf("clean")).dedup.web
VOCABULARY = [f"w{number}" for number in range(500)]


def passage(seed, length=200):
    draw = random.Random(seed)
    return [draw.choice(VOCABULARY) for _ in range(length)]


def edited(listed, changes, seed=0):
    """The passage with evenly spread words replaced."""
    copy = list(listed)
    for place in range(changes):
        copy[(place * len(copy)) // changes + 5 + 9 * seed] = f"changed{seed}x{place}"
    return copy


def corpus(root, path, texts):
    rows = [
        {"id": f"{path[:4]}-{n}", "text": text, "source": f"s{n}", "topic": n}
        for n, text in enumerate(texts)
    ]
    write_documents(root / "artifacts" / path, rows, shard_rows=3)


def ran(root, name, reads, workers=1, **changes):
    values = conf("clean")
    values["dedup"]["web"] |= changes
    run = made_run(root, name, reads=reads, params={"clean": values}, workers=workers)
    dedup(run)
    return run.out


def sets_of(listed):
    hashes = WordHashes()
    return [shingles(hashes(one), 5) for one in listed]


def test_similarity_is_that_of_the_python_sets():
    one, other = passage(1), edited(passage(1), 7)
    left, right = ({tuple(p[i : i + 5]) for i in range(196)} for p in (one, other))
    expected = len(left & right) / len(left | right)
    assert jaccard(*sets_of([one, other])) == pytest.approx(expected)


@pytest.mark.parametrize(("changes", "is_copy"), [(4, True), (5, False)])
def test_both_sides_of_the_threshold(changes, is_copy):
    # each changed word of 200 removes 5 of 196 shingles: 4 leave (196-20)/(196+20) = .81
    found = near_duplicates(sets_of([passage(1), edited(passage(1), changes)]), 0, SETTINGS)
    assert [match.kept for match in found] == ([0] if is_copy else [])
    assert not is_copy or found[0].similarity == pytest.approx(176 / 216)


def test_every_pair_above_the_threshold_is_found_and_no_other():
    listed = []
    for seed in range(60):
        listed += [passage(seed), edited(passage(seed), seed % 8 + 1)]
    sets = sets_of(listed)
    expected = {
        2 * seed + 1 for seed in range(60) if jaccard(sets[2 * seed], sets[2 * seed + 1]) >= 0.8
    }
    assert 20 < len(expected) < 60
    assert {match.document for match in near_duplicates(sets, 0, SETTINGS)} == expected


def test_a_removed_document_removes_no_other():
    first = passage(1)
    near, far = edited(first, 4), edited(edited(first, 4), 4, seed=1)
    sets = sets_of([first, near, far])
    assert jaccard(sets[1], sets[2]) >= 0.8 > jaccard(sets[0], sets[2])
    assert [match.document for match in near_duplicates(sets, 0, SETTINGS)] == [1]


def test_the_most_similar_kept_document_is_named():
    first, second = passage(1), edited(passage(1), 8)
    third = edited(second, 1, seed=2)
    sets = sets_of([first, second, third])
    match = near_duplicates(sets, 0, SETTINGS)[-1]
    assert (match.document, match.kept) == (2, 1)


def test_empty_documents_repeat_nothing():
    assert near_duplicates(sets_of([[], []]), 0, SETTINGS) == []
    assert near_duplicates([], 0, SETTINGS) == []
    assert len(np.unique(sets_of([["one", "two"]])[0])) == 1


def test_copies_go_by_priority_of_the_corpora(tmp_path):
    a, b, c, d = (" ".join(passage(seed)) for seed in range(4))
    corpus(tmp_path, "clean/dedup/books", [a])
    corpus(tmp_path, "clean/dedup/code", [b])
    near_a = " ".join(edited(passage(0), 2))
    corpus(tmp_path, "web/filtered", [c, f"  {b}\n", near_a, c.replace(" ", "\n"), d, near_a + " "])
    out = ran(
        tmp_path,
        "dedup@web",
        ["artifacts/clean/dedup/books", "artifacts/clean/dedup/code", "artifacts/web/filtered"],
    )
    kept = list(read_documents(out))
    assert [row["id"] for row in kept] == ["web/-0", "web/-4"]
    assert kept[1] == {"id": "web/-4", "text": d, "source": "s4", "topic": 4}
    removed = read_table(out / "removed.parquet").to_pylist()
    assert [(*tuple(row.values())[:3], row["reason"]) for row in removed] == [
        ("web/-1", "clea-0", "code", "exact"),
        ("web/-2", "clea-0", "books", "near"),
        ("web/-3", "web/-0", "web", "exact"),
        ("web/-5", "clea-0", "books", "near"),
    ]
    assert removed[0]["similarity"] == 1.0
    assert 0.8 <= removed[1]["similarity"] < 1
    summary = read_json(out / "summary.json")
    assert summary["rows"] == 2
    assert summary["dropped"] == {"exact": 2, "near": 2}
    assert summary["dropped_against"] == {"books": 2, "code": 1, "web": 1}


def test_the_bytes_are_the_same_again_and_with_more_workers(tmp_path):
    outs = []
    for number in range(2):
        root = tmp_path / str(number)
        texts = [" ".join(edited(passage(seed // 3), seed % 3 * 3 + 1)) for seed in range(60)]
        corpus(root, "books/corpus", texts)
        outs.append(ran(root, "dedup@books", ["artifacts/books/corpus"], workers=1 + number))
    assert read_json(outs[0] / "summary.json")["dropped"]["near"] > 5
    assert file_bytes(outs[0]) == file_bytes(outs[1])


def test_a_corpus_with_an_id_twice_stops_the_stage(tmp_path):
    rows = [{"id": "same", "text": f"text {n}", "source": "s"} for n in range(2)]
    write_documents(tmp_path / "artifacts/books/corpus", rows)
    with pytest.raises(ExpectationError, match=r"unique .*id: same"):
        ran(tmp_path, "dedup@books", ["artifacts/books/corpus"])


@pytest.mark.parametrize(("key", "value"), [("threshold", 0), ("threshold", 1.01), ("bands", 0)])
def test_settings_out_of_range_are_refused(key, value):
    values = conf("clean")["dedup"]["web"] | {key: value}
    with pytest.raises(ValidationError, match=key):
        TypeAdapter(Dedup).validate_python(values)


def test_of_equally_similar_documents_the_first_is_named():
    both = [edited(passage(1), 3, seed=seed) for seed in (1, 2)]
    sets = sets_of([*both, passage(1)])
    assert jaccard(sets[0], sets[2]) == jaccard(sets[1], sets[2]) >= 0.8 > jaccard(*sets[:2])
    (match,) = near_duplicates(sets, 0, SETTINGS)
    assert (match.document, match.kept) == (2, 0)
