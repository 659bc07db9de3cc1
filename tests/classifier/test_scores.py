"""Scoring and filtering by parts: who is kept, where the threshold lies, the same bytes."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.artifacts import read_documents, read_json, read_table, shards, write_table
from hornbook.classifier import scores
from hornbook.classifier.config import Filter, Scores
from hornbook.classifier.filter import filter_corpus
from hornbook.classifier.fit import fit_classifier
from hornbook.classifier.model import load
from hornbook.classifier.scores import score_corpus
from hornbook.config import Expectation
from hornbook.errors import ArtifactError, ExpectationError, InputError
from tests.classifier.made import annotations, corpus, run_in, settings, two_kinds
from tests.made_run import file_bytes

UNIQUE = Expectation("expect_column_values_to_be_unique", {"column": "id"})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The folder of a corpus of 9 parts with its classifier."""
    root = tmp_path_factory.mktemp("fitted")
    texts, given = two_kinds(80)
    run = run_in(root, "web_classifier")
    fit_classifier(run, corpus(root / "c", texts, 9), annotations(root / "a", given), settings())
    return root / "c", run.out, texts


@pytest.mark.parametrize("rows", [4, 1024])
def test_every_part_of_a_corpus_has_a_part_of_scores_in_its_order(
    tmp_path, fitted, monkeypatch, rows
):
    monkeypatch.setattr(scores, "ROWS_AT_ONCE", rows)
    documents, model, texts = fitted
    run = run_in(tmp_path, "web_scores")
    score_corpus(run, documents, model, Scores([UNIQUE]))
    assert [part.name for part in shards(run.out)] == [part.name for part in shards(documents)]
    for part in shards(run.out):
        assert read_table(part, ["id"]).equals(read_table(documents / part.name, ["id"]))
    expected = load(model, None).predict(texts)
    rows = read_table(run.out)
    assert rows.column("score").to_pylist() == expected.score.tolist()
    assert rows.column("probability").to_pylist() == expected.probability.tolist()
    summary = read_json(run.out / "summary.json")
    assert (summary["rows"], sum(summary["histogram_by_half"])) == (80, 80)
    assert sum(summary["histogram_by_half"][5:]) == 40


def test_a_pool_scores_and_filters_to_the_same_bytes(tmp_path, fitted):
    documents, model, _ = fitted
    found = []
    for workers in (1, 2):
        run = run_in(tmp_path / str(workers), "web_scores", workers)
        score_corpus(run, documents, model, Scores([]))
        kept = run_in(tmp_path / str(workers), "web_filter", workers)
        filter_corpus(kept, documents, run.out, Filter(2.5, []))
        found.append((file_bytes(run.out), file_bytes(kept.out)))
    assert found[0] == found[1]


def test_scores_that_break_an_expectation_stop_the_stage(tmp_path, fitted):
    documents, model, _ = fitted
    most = Expectation("expect_column_values_to_be_between", {"column": "score", "max_value": 0.1})
    with pytest.raises(ExpectationError, match="score"):
        score_corpus(run_in(tmp_path, "web_scores"), documents, model, Scores([most]))


def scored(folder, values, ids=None):
    table = pa.table({"id": ids or [f"d{n}" for n in range(len(values))], "score": values})
    write_table(folder / "part-00000.parquet", table)
    return folder


def test_a_score_at_the_threshold_is_kept_and_one_below_is_not(tmp_path):
    documents = corpus(tmp_path / "c", ["one", "two words", "three"])
    known = scored(tmp_path / "s", [2.499, 2.5, 2.501])
    run = run_in(tmp_path)
    filter_corpus(run, documents, known, Filter(2.5, [UNIQUE]))
    assert [(row["id"], row["score"]) for row in read_documents(run.out)] == [
        ("d1", 2.5),
        ("d2", 2.501),
    ]
    summary = read_json(run.out / "summary.json")
    assert (summary["dropped"], summary["words"]) == ({"below_threshold": 1}, 3)
    with pytest.raises(InputError, match=r"no document of 3 reaches web\.filter.*is 2\.501"):
        filter_corpus(run_in(tmp_path / "b"), documents, known, Filter(2.502, []))


def test_a_part_without_a_kept_document_keeps_its_schema(tmp_path):
    documents = corpus(tmp_path / "c", ["a", "b"], 1)
    for n, score in enumerate((1.0, 4.0)):
        write_table(
            tmp_path / "s" / f"part-0000{n}.parquet", pa.table({"id": [f"d{n}"], "score": [score]})
        )
    run = run_in(tmp_path)
    filter_corpus(run, documents, tmp_path / "s", Filter(2.0, []))
    first, second = (pq.read_table(part) for part in shards(run.out))
    assert (first.num_rows, second.num_rows) == (0, 1)
    assert first.schema == second.schema


@pytest.mark.parametrize("ids", [["d1", "d0"], ["d0", "other"], ["d0"], ["d0", "d1", "d2"]])
def test_scores_of_other_documents_are_refused(tmp_path, ids):
    documents = corpus(tmp_path / "c", ["a", "b"])
    known = scored(tmp_path / "web" / "scores", [1.0] * len(ids), ids)
    with pytest.raises(ArtifactError, match=r"does not hold the documents.*dvc repro web_scores"):
        filter_corpus(run_in(tmp_path), documents, known, Filter(0.0, []))
