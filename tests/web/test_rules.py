"""Each quality rule on both sides of its threshold, counted by hand."""

from dataclasses import replace
from itertools import islice

import pytest
import yaml
from pydantic import TypeAdapter

from hornbook.web.rules import REASONS, decisions, judge
from hornbook.web.rules_config import Rules
from tests.conftest import ROOT

CONF = yaml.safe_load((ROOT / "conf" / "web" / "laptop.yaml").read_text())["corpus"]["rules"]
RULES = TypeAdapter(Rules).validate_python(CONF)

# 6 lines of 10 words and a full stop, 41 letters and 51 characters; five of Gopher's stop words
LINES = [f"the {a}alab and {a}oled of that {a}amic have {a}enor {a}iral." for a in "ghkmpr"]
TEXT = "\n".join(LINES)
SIZE = 6 * 51 + 5
URL = "http://a.example/"


def changed(group: str, **values: object) -> Rules:
    part = replace(getattr(RULES, group), **values) if group else None
    return replace(RULES, **({group: part} if group else values))


def run_of(count: int) -> str:
    """Two lines of so many words of two letters."""
    line = " ".join(
        islice(("aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii", "jj", "kk"), count)
    )
    return f"{TEXT}\n{line}\n{line}"


def test_the_text_of_these_tests_breaks_no_rule():
    assert len(TEXT) == SIZE
    assert decisions(URL, TEXT, RULES) == set()
    assert judge(URL, TEXT, RULES) == (TEXT, None)


EDGES = [
    ("too_few_words", TEXT, "gopher", "min_words", 60, 61),
    ("too_many_words", TEXT, "gopher", "max_words", 60, 59),
    ("short_words", TEXT, "gopher", "min_mean_word_length", 4.1, 4.11),
    ("long_words", TEXT, "gopher", "max_mean_word_length", 4.1, 4.09),
    ("hashes", TEXT + "\n# # #", "gopher", "max_hashes_per_word", 3 / 69, 0.043),
    ("ellipses", TEXT + "\nso... so\u2026", "gopher", "max_ellipses_per_word", 2 / 70, 0.028),
    ("bullet_lines", "- - " + TEXT.replace("\n", "\n\u2022 ", 2), "gopher", "max_bullet_lines",
     3 / 6, 0.49),
    ("ellipsis_lines", TEXT + "\nx... x...\ny\u2026 ", "gopher", "max_ellipsis_lines", 2 / 8, 0.24),
    ("words_without_letters", TEXT + "\n1 2 3 4", "gopher", "min_words_with_letters",
     60 / 70, 0.86),
    ("stop_words", TEXT, "gopher", "min_stop_words", 5, 6),
    ("repeated_lines", TEXT + "\nyes.\nyes.", "repetition", "max_repeated_lines", 1 / 8, 0.12),
    ("repeated_line_characters", TEXT + "\nyes.\nyes.", "repetition",
     "max_repeated_line_characters", 4 / (SIZE + 10), 0.012),
    ("repeated_paragraphs", TEXT + "\n\nyes.\n\nyes.", "repetition", "max_repeated_paragraphs",
     1 / 3, 0.33),
    ("repeated_paragraph_characters", TEXT + "\n\nyes.\n\nyes.", "repetition",
     "max_repeated_paragraph_characters", 4 / (SIZE + 12), 0.012),
    ("top_2_gram", TEXT + "\nee ff" * 9, "repetition", "max_top_2_gram", 45 / (SIZE + 54), 0.123),
    ("top_3_gram", TEXT + "\nee ff gg" * 9, "repetition", "max_top_3_gram",
     72 / (SIZE + 81), 0.183),
    ("top_4_gram", TEXT + "\nee ff gg hh" * 9, "repetition", "max_top_4_gram",
     99 / (SIZE + 108), 0.236),
    # a word more than a run repeats, which is in no whole run
    *((f"repeated_{n}_grams", run_of(n + 1), "repetition", f"max_repeated_{n}_grams",
       2 * n / (SIZE + 6 * n + 6), 2 * n / (SIZE + 6 * n + 6) - 0.001) for n in range(5, 11)),
    ("repeated_5_grams", "a a a a a a", "repetition", "max_repeated_5_grams", 5 / 11, 0.45),
    ("few_sentences", TEXT, "c4", "min_sentences", 6, 7),
    ("few_sentences", TEXT + " yes? (no!) ok", "c4", "min_sentences", 9, 10),
    ("unended_lines", TEXT + "\nno end here", "fineweb", "min_ended_lines", 6 / 7, 0.858),
    ("short_lines", TEXT + "\nshort line here.", "fineweb", "max_short_lines", 1 / 7, 0.142),
    ("short_lines", TEXT, "fineweb", "short_line", 50, 51),
    ("repeated_line_share", TEXT + "\nyes.\nyes.", "fineweb", "max_repeated_line_characters",
     4 / (SIZE + 10 - 7), 0.0127),
    ("newlines", TEXT, "fineweb", "max_newlines_per_word", 5 / 66, 0.075),
    ("toxic", TEXT + "\nan idiot.", "", "max_toxic_words", 1, 0),
    ("toxic", TEXT + "\nan idiot.", "", "max_toxic_share", 1 / 69, 0.014),
    ("toxic", TEXT + "\ngo, kill yourself.", "", "max_toxic_words", 1, 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "group", "setting", "holds", "breaks"), EDGES)
def test_a_rule_holds_at_its_threshold_and_breaks_behind_it(
    name, text, group, setting, holds, breaks
):
    held = changed(group, **{setting: holds})
    assert name not in decisions(URL, text, held)
    assert judge(URL, text, held).reason != name
    assert name in decisions(URL, text, changed(group, **{setting: breaks}))


def test_every_reason_has_a_test_of_both_its_sides():
    of_addresses = {row[1] for row in ADDRESSES} - {None}
    of_pages = {"blocked_phrase", "curly_bracket", "short_paragraphs"}
    assert {row[0] for row in EDGES} | of_addresses | of_pages == set(REASONS)


@pytest.mark.parametrize("name", ["max_top_2_gram", "max_repeated_5_grams"])
def test_what_is_short_for_a_rule_does_not_break_it(name):
    for text in ("", "\n", ".", "one", "one two three"):
        reason = name.removeprefix("max_")
        assert reason not in decisions(URL, text, changed("repetition", **{name: 1.0}))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("LOREM Ipsum dolor.", "blocked_phrase"),
        ("Lorem ipsum", None),  # a line of two words has left before
        ("the set {x} is small.", "curly_bracket"),
        ("the script needs JavaScript {}", None),  # the line leaves for its script
    ],
)
def test_what_a_page_may_not_hold_is_looked_for_in_the_lines_that_stay(line, reason):
    found = decisions(URL, f"{TEXT}\n{line}", RULES)
    assert found == ({reason} if reason else set())


@pytest.mark.parametrize("count", [1, 6])
def test_a_long_paragraph_has_so_many_characters(count):
    for length, found in ((51, set()), (52, {"short_paragraphs"})):
        rules = changed("c4", min_long_paragraphs=count, long_paragraph=length)
        assert decisions(URL, TEXT, rules) == found


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("  two words  ", None),
        ("  now three words  ", "now three words"),
        ("as they say[12] it is[edit] so[citation needed]", "as they say it is so"),
        ("keep list[i] here", "keep list[i] here"),
        ("please switch on Javascript now", None),
        ("read our Privacy Policy today", None),
        ("a word of " + "x" * 1000, "a word of " + "x" * 1000),
        ("a word of " + "x" * 1001, None),
        ("", None),
    ],
)
def test_lines_leave_and_the_rest_is_kept_without_them(line, left):
    expected = "\n".join([*LINES, *([left] if left else [])])
    assert judge(URL, f"{TEXT}\n{line}", changed("fineweb", max_short_lines=1.0)).text == expected


@pytest.mark.parametrize(
    ("end", "stays"), [(".", 1), ("?", 1), ('"', 1), ("", 0), ("...", 0), (":", 0)]
)
def test_lines_without_an_end_leave_where_conf_says_so(end, stays):
    rules = changed("c4", require_end_punctuation=True)
    left = judge(URL, f"{TEXT}\nnow three words{end}", rules).text
    assert left.count("\n") == 5 + stays


def test_finewebs_rules_see_what_c4s_have_left():
    noise = "\nterms of use here" * 60
    assert "unended_lines" in decisions(URL, TEXT + noise, RULES)
    all_may_repeat = dict.fromkeys(CONF["repetition"], 1.0)
    rules = changed("repetition", **all_may_repeat)
    assert judge(URL, TEXT + noise, rules) == (TEXT, None)


ADDRESSES = [
    ("http://www.essex.ac.uk/analytics", None),
    ("http://a.example/casino/1", "blocked_url_word"),
    ("http://free-casino.example/", "blocked_url_word"),
    ("http://a.example/?q=casino", None),
    ("http://a.example/adult-education", None),
    ("http://a.example/adult/dating", "suspect_url_words"),
    ("http://blocked.example:8080/x", "blocked_host"),
    ("HTTP://WWW.Blocked.Example/x", "blocked_host"),
    ("http://unblocked.example/", None),
    ("http://192.0.2.7/page", "ip_host"),
    ("http://[2001:db8::1]/page", "ip_host"),
    ("http://a.b.c.d.e.example/", None),
    ("http://a.b.c.d.e.f.example/", "host_labels"),
    ("page-17.html", None),
    ("<urn:uuid:1>", None),
    ("", None),
    ("http://", None),
    ("http://[", "ip_host"),
]


@pytest.mark.parametrize(("url", "reason"), ADDRESSES)
def test_an_address_is_judged_by_its_host_and_by_whole_words(url, reason):
    rules = changed("url", blocked_hosts=["blocked.example"])
    assert judge(url, TEXT, rules).reason == reason


def test_a_toxic_word_inside_another_word_is_none():
    assert "toxic" not in decisions(URL, TEXT + "\nscunthorpe analysis, unpornographic.", RULES)


@pytest.mark.parametrize("piece", ["a.", "@", "1", "((", "\u2019", "a-", "http://a.b/", "x\n", " "])
def test_a_hostile_text_gets_a_verdict(piece):
    assert judge(URL, piece * (300_000 // len(piece)), RULES).reason is not None


def test_a_verdict_does_not_depend_on_what_was_judged_before(monkeypatch):
    texts = [row[1] for row in EDGES]
    alone = [judge(URL, text, RULES) for text in texts]
    monkeypatch.setattr(
        "hornbook.web.vocabulary.FULL", 20
    )  # the vocabulary starts anew all the time
    assert [judge(URL, text, RULES) for text in reversed(texts)] == alone[::-1]
