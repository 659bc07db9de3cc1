"""Quality rules: the first one that a text breaks, by its reason word, or None.

The rules are those of Gopher (arXiv 2112.11446, A.1.1), C4 (arXiv 1910.10683, section 2.2) and a
toxic-word rule; every threshold is a value of conf/web.
"""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

from hornbook.web.config import Rules

Reason = Literal[
    "blocked_url", "too_short", "too_long", "word_length", "symbols", "alpha_words", "bullets",
    "ellipses", "stop_words", "duplicate_lines", "repeated_bigram", "sentences", "forbidden",
    "toxic",
]  # fmt: skip
STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}  # Gopher's eight
SENTENCE = re.compile(r"[.!?](?:\s|$)")
LETTER = re.compile(r"[^\W\d_]")


@cache
def toxic_words() -> re.Pattern[str]:
    """The word list as one pattern."""
    lines = Path(__file__).with_name("toxic_words.txt").read_text("utf-8").splitlines()
    words = [re.escape(line) for line in lines if line and not line.startswith("#")]
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)


def judge(url: str, text: str, rules: Rules) -> Reason | None:
    """The first broken rule in the order of cost."""
    words = text.split()
    low = text.lower()
    if any(part in url for part in rules.blocked_urls):
        return "blocked_url"
    if len(words) < rules.min_words:
        return "too_short"
    if len(words) > rules.max_words:
        return "too_long"
    return (
        _of_words(words, rules)
        or _of_lines(text, rules)
        or _of_content(low, rules)
        or ("toxic" if len(toxic_words().findall(text)) > rules.max_toxic_words else None)
    )


def _of_words(words: list[str], rules: Rules) -> Reason | None:
    count = len(words)
    mean = sum(map(len, words)) / count
    symbols = sum(word.count("#") + word.count("...") + word.count("\u2026") for word in words)
    letters = sum(1 for word in words if LETTER.search(word))
    stops = sum(1 for word in words if word.lower().strip(".,;:!?") in STOP_WORDS)
    pairs = Counter(pairwise(words)).most_common(1)
    top = (len(" ".join(pairs[0][0])) * pairs[0][1] / sum(map(len, words))) if pairs else 0.0
    broken: tuple[tuple[Reason, bool], ...] = (
        ("word_length", not rules.min_mean_word_length <= mean <= rules.max_mean_word_length),
        ("symbols", symbols / count > rules.max_symbol_word_ratio),
        ("alpha_words", letters / count < rules.min_alpha_words),
        ("stop_words", stops < rules.min_stop_words),
        ("repeated_bigram", top > rules.max_top_bigram),
    )
    return next((reason for reason, is_broken in broken if is_broken), None)


def _of_lines(text: str, rules: Rules) -> Reason | None:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    bullets = sum(1 for line in lines if line.startswith(("\u2022", "-", "*")))
    ellipses = sum(1 for line in lines if line.endswith(("...", "\u2026")))
    repeats = len(lines) - len(set(lines))
    broken: tuple[tuple[Reason, bool], ...] = (
        ("bullets", bullets / len(lines) > rules.max_bullet_lines),
        ("ellipses", ellipses / len(lines) > rules.max_ellipsis_lines),
        ("duplicate_lines", repeats / len(lines) > rules.max_duplicate_lines),
    )
    return next((reason for reason, is_broken in broken if is_broken), None)


def _of_content(low: str, rules: Rules) -> Reason | None:
    if len(SENTENCE.findall(low)) < rules.min_sentences:
        return "sentences"
    return "forbidden" if any(part in low for part in rules.forbidden) else None
