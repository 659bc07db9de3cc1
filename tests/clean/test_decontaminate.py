"""No piece of a benchmark item stays in a corpus; what is only reported is counted."""

import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_documents, read_json, read_table, write_documents
from hornbook.clean import decontaminate as module
from hornbook.clean.benchmark import Overlap
from hornbook.clean.config import Clean, Decontaminate
from hornbook.clean.words import WordHashes, words
from hornbook.errors import InputError
from hornbook.evaluate.items import benchmark_texts
from tests.made_run import conf, file_bytes, made_run

SETTINGS = TypeAdapter(Clean).validate_python(conf("clean")).decontaminate
LONG = (
    "Janet's ducks lay sixteen eggs per day. She eats three for breakfast every morning and "
    "bakes muffins for her friends."
)
SHORT = "Which planet of the sun has the largest moon?"  # nine words
PHRASE = "What is a noun?"
MICRO = "Tom drops a glass on the stone floor and so the glass will surely break at once"


def looked_up(items, texts):
    hashes = WordHashes()
    overlap = Overlap(items, SETTINGS, hashes)
    return overlap, overlap.hits([hashes(words(text)) for text in texts])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Before it. {LONG} And after.", True),
        (LONG.replace(" ", "\n").upper().replace(".", " --"), True),
        (f"x {' '.join(words(LONG)[4:17])} y", True),
        (f"x {' '.join(words(LONG)[4:16])} y", False),
        (LONG.replace("sixteen", "ten").replace("breakfast", "lunch"), False),
        (f"So {SHORT} Titan.", True),
        (SHORT.replace("largest", "smallest"), False),
        (PHRASE, False),
    ],
    ids=["inside", "broken", "13 words", "12 words", "edited", "short", "other", "phrase"],
)
def test_what_overlaps(text, found):
    items = [("gsm8k", "0", LONG), ("arc", "1", SHORT), ("arc", "2", PHRASE)]
    overlap, (hits,) = looked_up(items, [text])
    assert (overlap.removing(hits) is not None) is found
    assert overlap.unchecked == 1


def test_a_run_over_the_border_of_two_documents_is_none():
    listed = words(LONG)
    _, hits = looked_up([("b", "0", LONG)], [" ".join(listed[:9]), " ".join(listed[9:18]), LONG])
    assert [bool(found) for found in hits] == [False, False, True]


def test_the_hit_names_the_words():
    overlap, (hits,) = looked_up([("b", "0", LONG)], [f"one two {LONG}"])
    hit, item = overlap.removing(hits)
    assert (hit.place, hit.length, item.item_id) == (2, 13, "0")


def test_overlap_counts_the_ngrams_of_an_item_that_stay():
    overlap, _ = looked_up([("micro_x", "0", MICRO), ("micro_x", "0", LONG)], [])
    hashes = WordHashes()
    (hits,) = overlap.hits([hashes(words(MICRO)[:15])])
    assert overlap.removing(hits) is None
    overlap.count(hit.gram for hit in hits)
    (row,) = overlap.rows()
    assert (row["ngrams"], row["overlapping"], row["positions"]) == (5 + 9, 3, [0, 1, 2])
    assert (row["report_only"], row["short"]) == (True, False)


@pytest.fixture
def made(tmp_path, monkeypatch):
    def make(root, items, texts, workers=1):
        (root / "data/benchmarks").mkdir(parents=True)
        rows = [{"id": f"d{n}", "text": t, "source": "s", "x": n} for n, t in enumerate(texts)]
        write_documents(root / "artifacts/clean/dedup/books", rows, shard_rows=2)
        monkeypatch.setattr(module, "benchmark_texts", lambda _: iter(items))
        run = made_run(
            root,
            "decontaminate@books",
            reads=["artifacts/clean/dedup/books", "data/benchmarks"],
            params={"clean": conf("clean"), "data": {"benchmarks": "data/benchmarks"}},
            workers=workers,
        )
        module.decontaminate(run)
        return run.out

    return make


def test_the_stage_removes_reports_and_counts(made, tmp_path):
    items = [("gsm8k", "7", LONG), ("arc", "1", SHORT), ("micro_x", "0", MICRO)]
    texts = ["clean text", f"a {LONG} b", MICRO, "more clean text", SHORT]
    out = made(tmp_path / "a", items, texts)
    kept = list(read_documents(out))
    assert [row["id"] for row in kept] == ["d0", "d2", "d3"]
    assert kept[1] == {"id": "d2", "text": MICRO, "source": "s", "x": 2}
    removed = read_table(out / "removed.parquet").to_pylist()
    assert removed == [
        {
            "id": "d1",
            "benchmark": "gsm8k",
            "item_id": "7",
            "ngram": "janet s ducks lay sixteen eggs per day she eats three for breakfast",
        },
        {"id": "d4", "benchmark": "arc", "item_id": "1", "ngram": " ".join(words(SHORT))},
    ]
    rows = read_table(out / "overlap.parquet").to_pylist()
    assert [(r["benchmark"], r["item_id"], r["overlapping"], r["ngrams"]) for r in rows] == [
        ("arc", "1", 0, 1),
        ("gsm8k", "7", 0, 9),
        ("micro_x", "0", 5, 5),
    ]
    summary = read_json(out / "summary.json")
    assert summary["dropped"] == {"arc": 1, "gsm8k": 1}
    assert summary["overlap"]["micro_x"] == {"items": 1, "checked": 1, "overlapping": 1}
    assert file_bytes(out) == file_bytes(made(tmp_path / "b", items, texts, workers=3))


def test_no_benchmark_is_refused(made, tmp_path):
    with pytest.raises(InputError, match=r"data\.benchmarks=.* has no benchmark item"):
        made(tmp_path, [], ["text"])


def test_an_impossible_short_length_is_refused():
    values = conf("clean")["decontaminate"] | {"short_item_words": 14}
    with pytest.raises(ValidationError, match=r"short_item_words=14: expected 1 to"):
        TypeAdapter(Decontaminate).validate_python(values)


def test_real_items_are_found_in_longer_paragraphs(shared):
    hashes = WordHashes()
    items = [item for item in benchmark_texts(shared) if item[0] in {"gsm8k", "humaneval", "siqa"}]
    assert len(items) > 1000
    overlap = Overlap(items, SETTINGS, hashes)
    asked = [words(f"Some text before it. {text}\nAnd some after.") for _, _, text in items]
    found = overlap.hits([hashes(one) for one in asked])
    keys = {(item.benchmark, item.item_id) for item in overlap.items.values() if item.ngrams}
    for (benchmark, item_id, _), hits in zip(items, found, strict=True):
        assert bool(hits) is ((benchmark, item_id) in keys)
    assert overlap.unchecked < 0.01 * len(items)
