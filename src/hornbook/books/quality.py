"""Which answer is a book: a reason word for every drop."""

import ast
import re
from typing import Literal

from hornbook.books.config import Corpus

Reason = Literal[
    "empty", "truncated", "refusal", "too_short", "too_long", "structure_missing",
    "code_does_not_parse",
]  # fmt: skip
# a definition up to the next line that begins a new thing; `)` closes a signature of many lines
BLOCK = re.compile(
    r"^(?:(?:async )?def \w+\(|class \w+[(:]).*(?:\n|\Z)(?:[ \t)].*(?:\n|\Z)|\n(?=[ \t)]))*",
    re.MULTILINE,
)
FENCE = re.compile(r"^```(?:python|py)\n(?!>>>)(.*?)^```", re.MULTILINE | re.DOTALL)
REFUSED = {"refusal", "content_filter"}  # reasons to finish that say so


def judge(text: str, finish_reason: str, rules: Corpus) -> Reason | None:
    """The first rule that an answer breaks; None for a book."""
    words, low = len(text.split()), text.lstrip().lower().replace("\u2019", "'")
    has_parts = all(any(word in low for word in part.split("|")) for part in rules.parts)
    is_refusal = finish_reason in REFUSED or low.startswith(tuple(rules.refusals))
    broken: tuple[tuple[Reason, bool], ...] = (
        ("refusal", is_refusal),
        ("empty", not words),
        ("truncated", finish_reason == "length"),
        ("too_short", words < rules.min_words),
        ("too_long", words > rules.max_words),
        ("structure_missing", not has_parts),
        ("code_does_not_parse", not all(map(parses, programs(text)))),
    )
    return next((reason for reason, is_broken in broken if is_broken), None)


def programs(text: str) -> list[str]:
    """The Python of a text: fenced blocks and bare definitions."""
    return FENCE.findall(text) + BLOCK.findall(FENCE.sub("", text))


def parses(code: str) -> bool:
    """Whether Python accepts it."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True
