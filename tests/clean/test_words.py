"""Words are hashed as one array, and each hash is what the definition says."""

import random
import re

import numpy as np
import pytest

from hornbook.clean import words as module
from hornbook.clean.words import WordHashes, hash_words, runs, shingle_sets, shingles, words

BASE, ROUND = 0x9E3779B97F4A7C15, 2**64
TEXTS = [
    "",
    "One word",
    "...",
    'The  BALL-game, it\'s "on"!\n',
    "x",
    "snake_case 3.14 a\0b\tc",
    "\N{EN DASH}caf\u00e9\N{RIGHT SINGLE QUOTATION MARK}s na\u00efve\u00a0one\u2026two",
    "\u0130stanbul \u03a3\u0391\u03a3 \u03a3 STRASSE stra\u00dfe",
    "\u4e2d\u6587\u3002\u5b57 \u0661\u0662 e\u0301 \U0001d54f\U0001f600b \u00b2",
    "lone \ud800 surrogate\ud83d.",
    "last",
]


def mixed(number):
    """splitmix64's finaliser."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 % ROUND
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB % ROUND
    return number ^ (number >> 31)


def by_definition(word):
    """The hash of one word, letter by letter with Python's integers."""
    letters = (mixed((ord(letter) + 1) * BASE % ROUND) for letter in word)
    return mixed(sum(one * BASE**place for place, one in enumerate(letters)) % ROUND)


def parts(hashed):
    return [
        hashed.hashes[a:b].tolist()
        for a, b in zip(hashed.offsets[:-1], hashed.offsets[1:], strict=True)
    ]


def test_words_are_normalised():
    assert words('The  BALL-game, it\'s "on"!\n') == ["the", "ball", "game", "it", "s", "on"]


@pytest.mark.parametrize("chunk", [2, 3, 7, 2**16])
def test_each_word_has_the_hash_of_the_definition(chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    module._powers.cache_clear()
    expected = [
        [by_definition(word) for word in re.findall(r"\w+", text.lower())] for text in TEXTS
    ]
    assert parts(hash_words(TEXTS)) == expected
    assert [parts(hash_words([text]))[0] for text in TEXTS] == expected
    assert [WordHashes()(words(text)).tolist() for text in TEXTS] == expected
    module._powers.cache_clear()


def test_every_character_separates_or_joins_as_in_the_regular_expression():
    listed = [f"a{chr(code)}b" for code in range(0x30000)]
    expected = [len(re.findall(r"\w+", text.lower())) for text in listed]
    assert np.diff(hash_words(listed).offsets).tolist() == expected


def test_no_two_of_a_million_words_share_a_hash_and_bits_are_even():
    listed = sorted({f"{a}{b}" for a in range(1000) for b in ("a", "b", "ab", "ba", "_")})
    listed += [f"w{number}" for number in range(1_000_000)]
    hashes = hash_words([" ".join(listed)]).hashes
    assert len(np.unique(hashes)) == len(listed)
    for bit in range(64):
        share = float(((hashes >> np.uint64(bit)) & np.uint64(1)).mean())
        assert abs(share - 0.5) < 0.005, bit


def test_no_texts_have_no_words():
    assert parts(hash_words([])) == []
    assert parts(hash_words(["", ""])) == [[], []]
    assert parts(shingle_sets(hash_words(["", "!"]), 5)) == [[], []]


def test_equal_runs_of_words_are_equal_numbers_and_others_are_not():
    hashes, letters = WordHashes(), list("abcabcbac")
    found = runs(hashes(letters), 3).tolist()
    assert found[0] == found[3]
    assert len(set(found)) == len(found) - 1
    assert found == runs(WordHashes()(letters), 3).tolist()
    assert len(runs(hashes(["a"]), 3)) == 0


def test_the_sets_of_many_texts_are_those_of_each_alone():
    draw = random.Random(3)
    texts = [" ".join(draw.choices("abc", k=draw.randrange(12))) for _ in range(200)]
    texts += ["a a a a a a a", "", "a b c d", "a b c d e"]
    hashed = hash_words(texts)
    alone = [shingles(hash_words([text]).hashes, 5).tolist() for text in texts]
    assert parts(shingle_sets(hashed, 5)) == alone
    for text, found in zip(texts, alone, strict=True):
        listed = text.split()
        runs_of_text = {tuple(listed[n : n + 5]) for n in range(max(1, len(listed) - 4))}
        assert len(found) == (len(runs_of_text) if listed else 0)
