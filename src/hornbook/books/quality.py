"""Which answer is a book: a reason word for every drop."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from hornbook.books.code import parses, programs, prose
from hornbook.books.config import Corpus
from hornbook.web.toxic import toxic_pattern

Reason = Literal[
    "refusal", "empty", "truncated", "too_short", "too_long", "meta_talk", "language",
    "repetition", "no_concept", "no_example", "no_practice", "no_answer", "words_missing",
    "code_does_not_parse", "code_fails", "wrong_arithmetic", "toxic", "exact_duplicate",
]  # fmt: skip
REFUSED = {"refusal", "content_filter"}  # reasons to finish that say so
SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
WORD = re.compile(r"\w+")
NUMBER = r"-?\d+(?:,\d{3})*(?:\.\d+)?"
# an equation that stands alone: in 1 + 2 * 3 = 7 the last two numbers are not all of it
EQUATION = re.compile(
    rf"(?<![\w.,+*/\u00d7\u00f7=-])(?<![-+*/\u00d7\u00f7=x] )"
    rf"({NUMBER}) ?([-+*/\u00d7\u00f7x]) ?({NUMBER}) ?= ?({NUMBER})"
    rf"(?![\w%/]|\.\d| ?[-+*/\u00d7\u00f7])"
)
SURE_LETTERS = 60  # of prose, below which a language cannot be told
LETTERS_READ = 4000
NO_CUTOFF = 1_000_000


@dataclass(frozen=True)
class Answered:
    """An answer as the rules see it."""

    text: str
    finish_reason: str
    words: str  # that have to occur, with commas

    @cached_property
    def low(self) -> str:
        """Lower case, plain apostrophes."""
        return self.text.lstrip().lower().replace("\u2019", "'")

    @cached_property
    def tokens(self) -> list[str]:
        """Words in lower case."""
        return WORD.findall(self.low)


def judge(answered: Answered, rules: Corpus) -> Reason | None:
    """The first rule that an answer breaks, cheap ones first; None for a book."""
    count = len(answered.text.split())
    checks: tuple[tuple[Reason, bool], ...] = (
        ("refusal", answered.finish_reason in REFUSED),
        ("refusal", answered.low.startswith(tuple(rules.refusals))),
        ("empty", not count),
        ("truncated", answered.finish_reason == "length"),
        ("too_short", count < rules.min_words),
        ("too_long", count > rules.max_words),
        ("meta_talk", any(phrase in answered.low for phrase in rules.meta_talk)),
    )
    for reason, is_broken in checks:
        if is_broken:
            return reason
    return _of_parts(answered, rules) or _of_content(answered, rules)


def _of_parts(answered: Answered, rules: Corpus) -> Reason | None:
    """Concept, explanation by example, practice, answer; words that the prompt asked for."""
    reasons: dict[str, Reason] = {
        "concept": "no_concept",
        "example": "no_example",
        "practice": "no_practice",
        "answer": "no_answer",
    }
    found = set(answered.tokens)
    for part, reason in reasons.items():
        names = rules.parts[part].split("|")
        if not any(name in found or (" " in name and name in answered.low) for name in names):
            return reason
    wanted = [word.strip() for word in answered.words.split(",") if word.strip()]
    # a verb may be inflected: its stem has to begin some word
    if not all(any(one.startswith(_stem(word)) for one in found) for word in wanted):
        return "words_missing"
    return None


def _stem(word: str) -> str:
    return word[:-1] if word.endswith(("e", "y")) and len(word) > 3 else word


def _of_content(answered: Answered, rules: Corpus) -> Reason | None:
    if is_other_language(answered.text, rules):
        return "language"
    if is_repetitive(answered, rules):
        return "repetition"
    if not all(map(parses, programs(answered.text))):
        return "code_does_not_parse"
    if any(not is_right(*found) for found in EQUATION.findall(answered.text)):
        return "wrong_arithmetic"
    return "toxic" if toxic_pattern().search(answered.text) else None


def is_other_language(text: str, rules: Corpus) -> bool:
    """Whether the prose is surely in a language that no rule allows.

    The ranks of one detection cannot tell odd English from German; how much better the other
    language fits can.
    """
    from resiliparse.parse.lang import detect_fast

    told = prose(text)[:LETTERS_READ]
    if len(told) < SURE_LETTERS:
        return False
    _, best = detect_fast(told, cutoff=NO_CUTOFF)
    _, allowed = detect_fast(told, cutoff=NO_CUTOFF, langs=rules.languages)
    return allowed > rules.language_margin * best


def is_repetitive(answered: Answered, rules: Corpus) -> bool:
    """Whether sentences or runs of three words come again and again (Gopher's idea)."""
    sentences = [s.strip().lower() for s in SENTENCE.findall(prose(answered.text)) if len(s) > 20]
    repeated = len(sentences) - len(set(sentences))
    if sentences and repeated / len(sentences) > rules.max_repeated_sentences:
        return True
    tokens = answered.tokens
    trigrams = Counter(zip(tokens, tokens[1:], tokens[2:], strict=False))
    top = max(trigrams.values(), default=0)
    return top > 2 and 3 * top / max(len(tokens), 1) > rules.max_top_trigram


def is_right(left: str, sign: str, right: str, result: str) -> bool:
    """Whether an equation holds, to the digits that its result shows; by zero it never does."""
    a, b, c = (float(number.replace(",", "")) for number in (left, right, result))
    if sign in "/\u00f7" and not b:
        return False
    computed = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
    }[{"x": "*", "\u00d7": "*", "\u00f7": "/"}.get(sign, sign)]()
    digits = len(result.partition(".")[2])
    return abs(computed - c) <= 0.5 * 10**-digits if digits else abs(computed - c) < 1e-9
