"""One copy of each text stays, and every removal names a text that is still there."""

import random
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_documents, read_json, read_table, write_documents
from hornbook.clean import buckets
from hornbook.clean import dedup as stage
from hornbook.clean.config import Clean, Dedup
from hornbook.clean.dedup import dedup, find_gone, signed_shards
from hornbook.clean.near import Decision, Meeting, jaccard, signatures
from hornbook.clean.words import hash_words, shingle_sets, words
from hornbook.errors import ExpectationError, HornbookError
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


def corpus(root, path, texts, shard_rows=3):
    rows = [
        {"id": f"{path[:4]}-{n}", "text": text, "source": f"s{n}", "topic": n}
        for n, text in enumerate(texts)
    ]
    write_documents(root / "artifacts" / path, rows, shard_rows=shard_rows)


def ran(root, name, reads, workers=1, **changes):
    values = conf("clean")
    values["dedup"]["web"] |= changes
    run = made_run(root, name, reads=reads, params={"clean": values}, workers=workers)
    dedup(run)
    return run.out


def gone_of(root, texts, *, num_higher=0, settings=SETTINGS, shard_rows=10):
    """Rows (document, kept, similarity, is exact) of what goes; the first texts are higher ones."""
    parts = []
    for name, some in (("books", texts[:num_higher]), ("web", texts[num_higher:])):
        folder = root / name
        schema = read_table(empty_part(root)).schema
        rows = ({"id": str(n), "text": text, "source": "s"} for n, text in enumerate(some))
        write_documents(folder, rows, shard_rows=shard_rows, schema=schema)
        parts += [(name, file) for file in sorted(folder.iterdir())]
    run = made_run(root, "dedup@web", reads=[], params={})
    gone = find_gone(run, signed_shards(run, parts, "web", settings), settings)
    columns = (gone.documents, gone.kept, gone.similarities, gone.is_exact)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def empty_part(root):
    write_documents(root / "empty", [])
    return root / "empty" / "part-00000.parquet"


def joined(listed):
    return [" ".join(one) for one in listed]


def set_of(text, length=5):
    listed = words(text)
    count = max(1, len(listed) - length + 1)
    return {tuple(listed[n : n + length]) for n in range(count)} if listed else set()


def similarity_of(left, right):
    one, other = set_of(left), set_of(right)
    return len(one & other) / len(one | other)


def by_brute_force(texts, num_higher, settings):
    """The rule over all pairs that share a band, without files, slices or limits."""
    sets = shingle_sets(hash_words(texts), settings.shingle_words)
    rows = signatures(sets, settings).reshape(len(texts), settings.bands, settings.rows)
    plain = ["".join(text.split()) for text in texts]
    first = [
        next(m for m in range(n + 1) if plain[m] == plain[n] and words(texts[m]) == words(texts[n]))
        for n in range(len(texts))
    ]
    kept, gone = [], {}
    for n, text in enumerate(texts):
        if first[n] != n or not words(text):
            continue
        similar = [
            (similarity_of(text, texts[m]), -m)
            for m in kept
            if (rows[n] == rows[m]).all(axis=1).any()
            and similarity_of(text, texts[m]) >= settings.threshold
        ]
        if n >= num_higher and similar:
            gone[n] = (-max(similar)[1], pytest.approx(max(similar)[0]), False)
        else:
            kept.append(n)
    for n, source in enumerate(first):
        if source != n and n >= num_higher:
            gone[n] = gone.get(source, (source, 1.0, True))
    return [(n, *gone[n]) for n in sorted(gone)]


def test_similarity_is_that_of_the_python_sets():
    one, other = joined([passage(1), edited(passage(1), 7)])
    sets = shingle_sets(hash_words([one, other]), 5)
    assert jaccard(sets[0], sets[1]) == pytest.approx(similarity_of(one, other))


@pytest.mark.parametrize(("changes", "is_copy"), [(4, True), (5, False)])
def test_both_sides_of_the_threshold(tmp_path, changes, is_copy):
    # each changed word of 200 removes 5 of 196 shingles: 4 leave (196-20)/(196+20) = .81
    found = gone_of(tmp_path, joined([passage(1), edited(passage(1), changes)]))
    assert found == ([(1, 0, 176 / 216, False)] if is_copy else [])


def test_every_pair_above_the_threshold_is_found_and_no_other(tmp_path):
    texts = []
    for seed in range(60):
        texts += joined([passage(seed), edited(passage(seed), seed % 8 + 1)])
    expected = [
        2 * seed + 1
        for seed in range(60)
        if similarity_of(texts[2 * seed], texts[2 * seed + 1]) >= 0.8
    ]
    assert 20 < len(expected) < 60
    assert [row[0] for row in gone_of(tmp_path, texts)] == expected


def test_a_removed_document_removes_no_other(tmp_path):
    near = edited(passage(1), 4)
    texts = joined([passage(1), near, edited(near, 4, seed=1)])
    assert similarity_of(*texts[1:]) >= 0.8 > similarity_of(texts[0], texts[2])
    assert [row[:2] for row in gone_of(tmp_path, texts)] == [(1, 0)]


def test_the_most_similar_kept_document_is_named(tmp_path):
    second = edited(passage(1), 8)
    texts = joined([passage(1), second, edited(second, 1, seed=2)])
    assert [row[:2] for row in gone_of(tmp_path, texts)] == [(2, 1)]


def test_of_equally_similar_documents_the_first_is_named(tmp_path):
    texts = joined([*(edited(passage(1), 3, seed=seed) for seed in (1, 2)), passage(1)])
    assert similarity_of(texts[0], texts[2]) == similarity_of(texts[1], texts[2]) >= 0.8
    assert similarity_of(*texts[:2]) < 0.8
    assert [row[:2] for row in gone_of(tmp_path, texts)] == [(2, 0)]


@pytest.mark.parametrize("slice_keys", [2**21, 64])
@pytest.mark.parametrize("seed", range(4))
def test_what_goes_is_what_the_rule_over_all_pairs_says(tmp_path, monkeypatch, seed, slice_keys):
    monkeypatch.setattr(stage, "SLICE_KEYS", slice_keys)
    monkeypatch.setattr(buckets, "RANGE", 16)
    monkeypatch.setattr(stage, "RANGE", 16)
    draw = random.Random(seed)
    texts = []
    for _ in range(120):
        kind = draw.random()
        if kind < 0.3 or not texts:
            texts.append(" ".join(passage(draw.random(), draw.choice([0, 1, 3, 5, 30, 60]))))
        elif kind < 0.4:
            texts.append(draw.choice(texts).replace(" ", "\n ", 3) + " ")
        else:
            copy = draw.choice(texts).split()
            for place in draw.sample(range(len(copy)), min(len(copy), draw.choice([0, 1, 1, 2]))):
                copy[place] = draw.choice(VOCABULARY)
            texts.append(", ".join(copy))
    settings = replace(SETTINGS, compared=1000, threshold=0.6)
    found = gone_of(tmp_path, texts, num_higher=20 * (seed % 2), settings=settings)
    assert found == by_brute_force(texts, 20 * (seed % 2), settings)
    assert {row[3] for row in found} == {True, False}
    gone = {row[0] for row in found}
    for document, kept, similarity, _ in found:
        assert kept not in gone
        if set_of(texts[document]):
            assert similarity == pytest.approx(similarity_of(texts[document], texts[kept]))


def test_white_space_alone_makes_no_other_text_but_another_word_does(tmp_path):
    texts = ["one two", " one\n\ttwo ", "onet wo", "one\u00a0two", "one, two", "one two"]
    assert gone_of(tmp_path, texts) == [
        (1, 0, 1.0, True),
        (3, 0, 1.0, False),
        (4, 0, 1.0, False),
        (5, 0, 1.0, True),
    ]


def test_texts_without_a_word_are_copies_only_where_they_are_equal(tmp_path):
    assert gone_of(tmp_path, ["", "...", " ", "!", "..."]) == [(2, 0, 1.0, True), (4, 1, 1.0, True)]
    assert gone_of(tmp_path / "none", []) == []


def counting(monkeypatch):
    """How often two documents were compared, by the module that asks."""
    calls = {stage: 0, buckets: 0}

    def counted(asks):
        def compared(left, right, *, at_least=0.0):
            calls[asks] += 1
            return jaccard(left, right, at_least=at_least)

        return compared

    for asks in calls:
        monkeypatch.setattr(asks, "jaccard", counted(asks))
    return calls


@pytest.mark.parametrize(("own_words", "stays"), [(1, 1), (20, 1500)])
def test_documents_of_one_template_cost_a_fixed_number_of_comparisons_each(
    tmp_path, monkeypatch, own_words, stays
):
    # with 1 own word of 101 they repeat each other, with 20 (similar by .67) they do not
    calls, template = counting(monkeypatch), passage(1, 100)
    texts = joined([*template, *(f"x{n}y{k}" for k in range(own_words))] for n in range(1500))
    settings = replace(SETTINGS, compared=2)
    found = gone_of(tmp_path, texts, settings=settings, shard_rows=500)
    assert len(found) == 1500 - stays
    assert calls[buckets] <= 1500 * SETTINGS.bands
    # where all repeat the first page, nothing but that is compared
    assert calls[stage] <= (1500 * settings.compared if stays > 1 else 0)


def test_a_bucket_that_is_full_remembers_no_more():
    asked = []

    def none_alike(document, other):
        asked.append((document, other))
        return 0.0

    decision = Decision(none_alike, 5, 0, replace(SETTINGS, compared=1))
    full, other = (Meeting(0, bucket, is_last=False, similarity=0.0) for bucket in (1, 2))
    decision.decide(1, [full])
    decision.decide(3, [full, other])
    # 3 is in both buckets of 4, but only one of them remembers it: that is no more than 1 has
    decision.decide(4, [full, other])
    assert asked == [(3, 1), (4, 1)]


def test_a_near_copy_is_found_among_many_of_its_template(tmp_path):
    template = passage(1, 100)
    pages = [[*template, *(f"x{n}y{k}" for k in range(20))] for n in range(300)]
    texts = joined([*pages, [*pages[250][:-1], "other"]])
    settings = replace(SETTINGS, compared=4)
    assert [row[:2] for row in gone_of(tmp_path, texts, settings=settings)] == [(300, 250)]


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
    assert [read_table(file).num_rows for file in sorted(out.glob("part-*"))] == [1, 1]
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


def test_a_part_without_documents_keeps_its_columns_and_its_place(tmp_path):
    corpus(tmp_path, "books/corpus", ["one text", "another text", "one text", "one\ntext"], 2)
    out = ran(tmp_path, "dedup@books", ["artifacts/books/corpus"])
    tables = [read_table(file) for file in sorted(out.glob("part-*"))]
    assert [table.num_rows for table in tables] == [2, 0]
    assert tables[0].schema == tables[1].schema


def near_corpus(root):
    texts = [" ".join(edited(passage(seed // 3), seed % 3 * 3 + 1)) for seed in range(60)]
    corpus(root, "books/corpus", texts)


def test_the_bytes_are_the_same_again_and_with_more_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SLICE_KEYS", 500)
    outs = []
    for number in range(2):
        root = tmp_path / str(number)
        near_corpus(root)
        outs.append(ran(root, "dedup@books", ["artifacts/books/corpus"], workers=1 + number))
    assert read_json(outs[0] / "summary.json")["dropped"]["near"] > 5
    assert file_bytes(outs[0]) == file_bytes(outs[1])


def test_a_stage_that_stopped_goes_on_with_the_same_bytes(tmp_path, monkeypatch):
    alone, again = tmp_path / "alone", tmp_path / "again"
    for root in (alone, again):
        near_corpus(root)
    expected = ran(alone, "dedup@books", ["artifacts/books/corpus"])
    run = made_run(
        again, "dedup@books", reads=["artifacts/books/corpus"], params={"clean": conf("clean")}
    )

    def stopped(*_):
        raise HornbookError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(stage, "write_removed", stopped)
        with pytest.raises(HornbookError, match="stopped"):
            dedup(run)
    with monkeypatch.context() as patched:
        patched.setattr(stage, "sign", stopped)
        patched.setattr(stage, "compare", stopped)
        dedup(run)
    assert file_bytes(run.out) == file_bytes(expected)


def test_an_empty_corpus_is_copied(tmp_path):
    corpus(tmp_path, "books/corpus", [])
    with pytest.raises(ExpectationError, match="row_count"):
        ran(tmp_path, "dedup@books", ["artifacts/books/corpus"])
    run = tmp_path / ".pending/dedup@books/out"
    assert read_table(run).num_rows == read_table(run / "removed.parquet").num_rows == 0


def test_a_corpus_with_an_id_twice_stops_the_stage(tmp_path):
    rows = [{"id": "same", "text": f"text {n}", "source": "s"} for n in range(2)]
    write_documents(tmp_path / "artifacts/books/corpus", rows)
    with pytest.raises(ExpectationError, match=r"unique .*id: same"):
        ran(tmp_path, "dedup@books", ["artifacts/books/corpus"])


@pytest.mark.parametrize(
    ("key", "value"), [("threshold", 0), ("threshold", 1.01), ("bands", 0), ("compared", 0)]
)
def test_settings_out_of_range_are_refused(key, value):
    values = conf("clean")["dedup"]["web"] | {key: value}
    with pytest.raises(ValidationError, match=key):
        TypeAdapter(Dedup).validate_python(values)


def test_signatures_agree_as_often_as_the_sets_do():
    texts = joined([passage(1), edited(passage(1), 6)])
    settings = replace(SETTINGS, bands=100, rows=20)
    rows = signatures(shingle_sets(hash_words(texts), 5), settings)
    assert float((rows[0] == rows[1]).mean()) == pytest.approx(similarity_of(*texts), abs=0.03)
