"""The table of recall by kind says what the search finds, and can say that it fails."""

import random
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from hornbook.clean import recall
from hornbook.clean.config import Clean
from hornbook.clean.plants import PLANTS, edited, renamed
from hornbook.clean.search import Search
from hornbook.clean.words import words
from hornbook.evaluate.texts import ItemTexts, benchmark_items
from tests.made_run import conf

SETTINGS = TypeAdapter(Clean).validate_python(conf("clean")).decontaminate
BANK = [f"word{n}y" for n in range(400)]
HOST = [f"host{n}z" for n in range(80)]


def made(seed=0, count=60):
    draw = random.Random(seed)
    return [
        ItemTexts(f"bench{n % 4}", f"bench{n % 4}/{n}", " ".join(draw.choices(BANK, k=9 + n % 30)))
        for n in range(count)
    ]


def measured(settings=SETTINGS, items=None):
    settings = replace(settings, recall=replace(settings.recall, items=8, controls=60))
    items = made() if items is None else items
    return recall.measure(items, Search.of(items, settings), settings)


def test_all_kinds_are_found_and_no_control_is_flagged():
    found = measured()
    for kind in (*PLANTS, "edited"):
        assert found.of(kind) == 1.0, kind
    assert found.of("program") is None
    assert (found.controls, found.flagged) == (60, 0)
    text = recall.table(found)
    assert "| bench0 | 1.000 (8) |" in text
    assert "0 of 60 clean texts flagged" in text


def test_a_search_that_misses_edited_copies_is_told():
    strict = replace(SETTINGS, edited=replace(SETTINGS.edited, share=1.0))
    found = measured(strict)
    assert found.of("exact") == 1.0
    assert found.of("edited") < 0.9


def test_a_search_that_takes_anything_flags_controls():
    lax = replace(SETTINGS.edited, seed_words=2, share=0.2, weighted_share=0.0, edits=0.9)
    assert measured(replace(SETTINGS, edited=lax)).false_positive_rate > 0.5


def test_controls_hold_no_ngram_of_an_item_and_pieces_of_many():
    items = made()
    settings = replace(SETTINGS, recall=replace(SETTINGS.recall, controls=40))
    controls = recall.clean_texts(items, Search.of(items, settings), settings)
    own = [words(item.question) for item in items]
    eights = {tuple(one[p : p + 8]) for one in own for p in range(len(one) - 7)}
    pairs = {tuple(one[p : p + 2]) for one in own for p in range(len(one) - 1)}
    for text in controls:
        listed = words(text)
        assert len(listed) >= settings.recall.document_words
        assert not {tuple(listed[p : p + 8]) for p in range(len(listed) - 7)} & eights
        shared = sum(tuple(listed[p : p + 2]) in pairs for p in range(len(listed) - 1))
        assert shared > 0.4 * len(listed)


@pytest.mark.parametrize("kind", sorted(PLANTS))
def test_a_plant_holds_every_word_of_the_text(kind):
    text = 'Janet\'s ducks "lay" sixteen remarkably wonderful eggs - a day. She eats three.'
    planted = PLANTS[kind](text, random.Random(3), HOST)
    flat = words(planted.replace("-\n", "").replace("\u2019", "'"))
    own = words(text)
    assert any(flat[p : p + len(own)] == own for p in range(len(flat)))
    assert (len(flat) == len(own)) is (kind == "exact")


def test_lines_are_short_and_some_words_are_hyphenated():
    text = " ".join(["extraordinarily", "long", "wording"] * 30)
    planted = PLANTS["lines"](text, random.Random(1), HOST)
    assert max(map(len, planted.split("\n"))) < 90
    assert "-\n" in planted


def test_edits_are_as_many_as_asked_for():
    text = " ".join(f"own{n}w" for n in range(50))
    planted = words(edited(text, random.Random(5), HOST, edits=0.08))
    kept = sum(word.startswith("own") for word in planted)
    assert 46 <= kept <= 50
    assert kept < 50 or len(planted) > 50 + len(HOST)
    one = words(edited("a b c d e f g h", random.Random(2), HOST, edits=0.01))
    assert len(one) != 8 + len(HOST) or one != words("a b c d e f g h") + HOST


def test_a_renamed_program_does_the_same_with_other_names():
    source = "def twice(x):\n    y = x + x\n    return y\n"
    changed = renamed(source, random.Random(0))
    assert "twice" not in changed
    namespace = {}
    exec(changed, namespace)
    (function,) = (v for k, v in namespace.items() if k.endswith("_value"))
    assert function(21) == 42
    assert renamed("def f(:", random.Random(0)) is None


def test_real_items_of_every_benchmark_are_found(shared):
    by_name = {}
    for item in benchmark_items(shared):
        by_name.setdefault(item.benchmark, []).append(item)
    items = [one for listed in by_name.values() for one in listed[:40]]
    found = measured(items=items)
    for kind in PLANTS:
        assert found.of(kind) == 1.0, kind
    assert found.of("edited") >= 0.98
    assert found.of("program") == found.of("short") == 1.0
    assert found.flagged == 0
    assert {row["benchmark"] for row in found.rows} == set(by_name)
