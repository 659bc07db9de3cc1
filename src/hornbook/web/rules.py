"""Whether a page is good enough: one pass over its address and text, cheap rules first.

Each rule has a reason word that says what was wrong; conf/web holds the thresholds.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from hornbook.web import addresses, c4, fineweb, gopher, repetition
from hornbook.web.measures import Measures
from hornbook.web.rules_config import Rules
from hornbook.web.toxic import toxic_phrases

REASONS = (
    *addresses.REASONS, *gopher.REASONS, *c4.REASONS, *fineweb.REASONS, *repetition.REASONS,
    "toxic",
)  # fmt: skip

SHORT = 600  # characters; above it a text of too few words is rare


class Verdict(NamedTuple):
    """The text that is kept, and why it is not."""

    text: str
    reason: str | None


def judge(url: str, text: str, rules: Rules) -> Verdict:
    """The text without the lines that C4's rules drop, and the first broken rule's reason or None.

    FineWeb's rules see what C4's have left, the other rules the text as it came. What asks for
    lines only comes before what asks for words, which cost more than all else.
    """
    whole = Measures(text)
    reason = next(chain(addresses.broken(url, rules.url), _if_short(whole, rules)), None)
    if reason is not None:
        return Verdict(text, reason)
    cleaned = c4.clean(whole, rules.c4, stop=True)
    if cleaned.reasons:
        return Verdict(text, cleaned.reasons[0])
    left = whole if cleaned.text == text else Measures(cleaned.text)
    found = chain(
        fineweb.of_lines(left, rules.fineweb),
        repetition.of_lines(whole, rules.repetition),
        gopher.broken(whole, rules.gopher),
        _if_toxic(whole, rules),
        fineweb.of_words(left, rules.fineweb),
        repetition.of_words(whole, rules.repetition),
    )
    return Verdict(cleaned.text, next(found, None))


def decisions(url: str, text: str, rules: Rules) -> set[str]:
    """The reasons of all rules that a page breaks, each judged alone on the text as it came."""
    whole = Measures(text)
    return {
        *addresses.broken(url, rules.url),
        *gopher.broken(whole, rules.gopher),
        *c4.clean(whole, rules.c4, stop=False).reasons,
        *fineweb.of_lines(whole, rules.fineweb),
        *fineweb.of_words(whole, rules.fineweb),
        *repetition.of_lines(whole, rules.repetition),
        *repetition.of_words(whole, rules.repetition),
        *_if_toxic(whole, rules),
    }


def _if_short(text: Measures, rules: Rules) -> Iterator[str]:
    """A short text is told so before anything else, and its words are soon counted."""
    if len(text.text) < SHORT and text.num_plain_words < rules.gopher.min_words:
        yield "too_few_words"


def _if_toxic(text: Measures, rules: Rules) -> Iterator[str]:
    """Slurs and insults are more than a few, and more than a share of the words."""
    found = text.num_toxic_words
    found += sum(map(text.lower.count, toxic_phrases()))
    if found > rules.max_toxic_words and found / text.num_words > rules.max_toxic_share:
        yield "toxic"
