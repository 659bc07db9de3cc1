"""Rows of corpora by their id: added, removed, changed; shares; examples; shards that are equal."""

import shutil

import pytest

from hornbook.diff.documents import compare
from tests.diff.made import pair, said, tables, write_rows


def document(number, text=None, domain="science", score=1):
    text = f"text of {number}" if text is None else text
    source = f"http://host{number % 3}.example/{number}"
    return {"id": f"d{number:03}", "text": text, "source": source, "domain": domain, "score": score}


@pytest.fixture
def corpora(tmp_path):
    """A shard that is the same, and one in which something of every kind happened."""
    same = [document(number) for number in range(100, 104)]
    before = [document(1), document(2), document(3), document(4, score=1)]
    after = [
        document(4, score=2), document(1), document(2, text="another text altogether"),
        document(9, text="three new words", domain="code"),
    ]  # fmt: skip
    write_rows(tmp_path / "before" / "part-00000.parquet", before)
    write_rows(tmp_path / "before" / "part-00001.parquet", same)
    write_rows(tmp_path / "after" / "part-00000.parquet", after)
    shutil.copytree(tmp_path / "before", tmp_path / "kept")
    (tmp_path / "kept" / "part-00001.parquet").rename(tmp_path / "after" / "part-00002.parquet")
    return tmp_path


def test_rows_are_added_removed_and_changed_by_id_whatever_their_order(corpora):
    told = said(compare(pair(corpora)))
    assert told == [
        "part: 8 -> 8 rows, 1 files the same",
        "1 added, 1 removed, 2 changed, 1 the same in the files that differ",
        "words in the files that differ: 12 -> 12 (+0)",
    ]
    rows = tables(compare(pair(corpora)))
    assert rows["columns that changed"] == [("text", 1), ("score", 1)]
    assert rows["4 examples"] == [
        ("changed", "d002", "text: text of 2", "text: another text altogether"),
        ("changed", "d004", "score: 1", "score: 2"),
        ("added", "d009", "[http://host0.example/9] three new words", ""),
        ("removed", "d003", "[http://host0.example/3] text of 3", ""),
    ]


def test_shares_are_of_the_whole_corpus_and_words_of_what_differs(corpora):
    assert tables(compare(pair(corpora)))["by domain"] == [
        ("code", 0, 1, "0.0%", "12.5%", "+3"),
        ("science", 8, 7, "100.0%", "87.5%", "-3"),
    ]


def test_addresses_are_told_by_host_where_there_are_many(tmp_path):
    rows = [document(number) for number in range(300)]
    write_rows(tmp_path / "before" / "part-00000.parquet", rows)
    write_rows(tmp_path / "after" / "part-00000.parquet", [r for r in rows if r["id"] != "d003"])
    found = tables(compare(pair(tmp_path)))
    by_host = found["by source (host or first folder)"]
    assert [row[:3] for row in by_host] == [("host0.example", 100, 99)]


def test_a_text_under_another_id_is_no_new_text(tmp_path):
    before = [{"id": f"a{n}", "text": text} for n, text in enumerate(("x", "x", "y", "z"))]
    after = [{"id": f"b{n}", "text": text} for n, text in enumerate(("x", "z", "w"))]
    write_rows(tmp_path / "before" / "part-00000.parquet", before)
    write_rows(tmp_path / "after" / "part-00000.parquet", after)
    parts = list(compare(pair(tmp_path)))
    assert "3 added, 4 removed" in said(parts)[1]
    assert "2 of the added have the text of a removed one" in said(parts)[1]
    examples = tables(parts)["3 examples"]
    assert [row[0] for row in examples] == ["added", "removed", "removed"]
    assert {row[2] for row in examples if row[0] == "added"} == {"w"}
    assert "y" in {row[2] for row in examples}


def test_ten_examples_are_the_same_ones_in_any_order_of_rows(tmp_path):
    rows = [document(number) for number in range(200)]
    for folder, order in (("one", 1), ("two", -1)):
        write_rows(tmp_path / folder / "before" / "part-00000.parquet", rows[:50])
        write_rows(tmp_path / folder / "after" / "part-00000.parquet", rows[::order])
    chosen = [
        {row[1] for row in tables(compare(pair(tmp_path / folder)))["10 examples"]}
        for folder in ("one", "two")
    ]
    assert len(chosen[0]) == 10
    assert chosen[0] == chosen[1]
    assert not chosen[0] <= {f"d{number:03}" for number in range(50, 60)}  # not only the first


def test_columns_that_come_and_go_are_said_and_not_compared(tmp_path):
    write_rows(tmp_path / "before" / "part-00000.parquet", [{"id": "a", "text": "x", "old": 1}])
    write_rows(tmp_path / "after" / "part-00000.parquet", [{"id": "a", "text": "x", "new": 1}])
    told = said(compare(pair(tmp_path)))
    assert "0 added, 0 removed, 0 changed, 1 the same in the files that differ" in told
    assert {"columns that are new: new", "columns that are gone: old"} <= set(told)


def test_rows_without_a_name_of_their_own_are_counted_alone(tmp_path):
    hits = [{"id": "a", "kind": "long"}, {"id": "a", "kind": "share"}]
    write_rows(tmp_path / "before" / "hits.parquet", hits)
    write_rows(tmp_path / "after" / "hits.parquet", hits[:1] * 3 + hits[1:])
    parts = list(compare(pair(tmp_path)))
    assert said(parts) == ["hits: 2 -> 4 rows"]
    assert tables(parts)["hits, by kind"] == [("long", 1, 3, "50.0%", "75.0%")]


def test_nothing_is_another_value_than_the_word_for_it(tmp_path):
    write_rows(tmp_path / "before" / "t.parquet", [{"id": "a", "x": None}, {"id": "b", "x": "y"}])
    write_rows(tmp_path / "after" / "t.parquet", [{"id": "a", "x": "None"}, {"id": "b", "x": "y"}])
    assert "0 added, 0 removed, 1 changed" in said(compare(pair(tmp_path)))[1]
