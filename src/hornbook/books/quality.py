"""Which answer is a book: a reason word for every drop."""

import ast
import re
from typing import Literal

from hornbook.books.config import Corpus

Reason = Literal[
    "empty", "truncated", "refusal", "too_short", "too_long", "structure_missing",
    "code_does_not_parse",
]  # fmt: skip
BLOCK = re.compile(r"^(?:def |class ).*\n(?:[ \t]+.*\n?|\n(?=[ \t]))*", re.MULTILINE)


def judge(text: str, finish_reason: str, rules: Corpus) -> Reason | None:
    """The first rule that an answer breaks; None for a book."""
    words, low = len(text.split()), text.lstrip().lower()
    has_parts = all(any(word in low for word in part.split("|")) for part in rules.parts)
    broken: tuple[tuple[Reason, bool], ...] = (
        ("empty", not words),
        ("truncated", finish_reason == "length"),
        ("refusal", low.startswith(tuple(rules.refusals))),
        ("too_short", words < rules.min_words),
        ("too_long", words > rules.max_words),
        ("structure_missing", not has_parts),
        ("code_does_not_parse", not all(map(parses, BLOCK.findall(text)))),
    )
    return next((reason for reason, is_broken in broken if is_broken), None)


def parses(code: str) -> bool:
    """Whether Python accepts it."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True
