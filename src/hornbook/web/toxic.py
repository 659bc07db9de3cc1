"""The list of slurs, insults and obscenities, and where they stand in a text."""

import re
from functools import cache
from pathlib import Path


@cache
def toxic_terms() -> tuple[str, ...]:
    """The list, lower case; a term may have several words."""
    lines = Path(__file__).with_name("toxic_words.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@cache
def toxic_words() -> frozenset[str]:
    """Terms of one word."""
    return frozenset(term for term in toxic_terms() if " " not in term)


@cache
def toxic_phrases() -> tuple[str, ...]:
    """Terms of several words."""
    return tuple(term for term in toxic_terms() if " " in term)


@cache
def toxic_pattern() -> re.Pattern[str]:
    """All terms as one pattern, for texts whose words nobody counts."""
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, toxic_terms()))})\b", re.IGNORECASE)
