"""Words as spaCy's blank English pipeline splits them; the expectations are its own answers."""

import pytest

from hornbook.web.words import LONGEST, split


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        ("plain", "plain"),
        ("word,", "word ,"),
        ("(word)", "( word )"),
        ('"Stop!"', '" Stop ! "'),
        ("don't", "do n't"),
        ("can\u2019t,\u201d", "ca n\u2019t , \u201d"),
        ("cannot", "can not"),
        ("Well", "Well"),
        ("it's", "it 's"),
        ("Monet's", "Monet 's"),
        ("O'Brien", "O'Brien"),
        ("they'll've", "they 'll 've"),
        ("well-known", "well - known"),
        ("co-op.", "co - op ."),
        ("Mr.", "Mr."),
        ("(Mr.", "( Mr."),
        ("U.S.", "U.S."),
        ("e.g.,", "e.g. ,"),
        ("end.", "end ."),
        ("X.", "X."),
        ("NASA.", "NASA ."),
        ("wait...", "wait ..."),
        ("wait\u2026what", "wait \u2026 what"),
        ("3.14", "3.14"),
        ("1,000", "1,000"),
        ("5km", "5 km"),
        ("50%", "50 %"),
        ("$43.", "$ 43 ."),
        ("2010-11-28", "2010 - 11 - 28"),
        ("9am", "9 am"),
        ("and/or", "and/or"),
        ("and/or/not", "and/or / not"),
        ("either/or", "either / or"),
        ("site.Next", "site . Next"),
        ("www.example.org/a,b", "www.example.org/a,b"),
        ("me@example.org", "me@example.org"),
        (":-)", ":-)"),
        ("fun:)", "fun :)"),
        ("C++", "C++"),
        ("--all", "--all"),
        ("\u00e9cole.", "\u00e9cole ."),
        ("#tag", "# tag"),
        ("snake_case", "snake_case"),
    ],
)
def test_a_piece_falls_into_words(piece, words):
    assert split(piece) == tuple(words.split())


def test_a_piece_that_is_too_long_to_be_words_stays_whole():
    assert len(split("a." * (LONGEST // 2))) > 0
    assert split("(" * (LONGEST + 1)) == ("(" * (LONGEST + 1),)
    assert split("(" * LONGEST) == ("(",) * LONGEST
