"""Licences by their SPDX names, and whether an expression of them is allowed."""

import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

NAMES = Path(__file__).with_name("licences.txt")
TOKEN = re.compile(r"\s*([()]|[A-Za-z0-9.+:-]+)")
OPERATORS = {"and": "AND", "or": "OR", "with": "WITH"}
WORDS = {*OPERATORS.values(), "(", ")"}
HEADER = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n\r*#<>\"'|;,]{1,200})")
# the words that grant or name a copyleft licence at the top of a file, whatever its folder says;
# no gap gives anything back, else a long one is tried in every division
COPYLEFT = re.compile(
    r"terms\s++of\s++the\s[#*\s]*+GNU\s[#*\s]*+(?:(Lesser|Library|Affero)\s[#*\s]*+)?"
    r"General\s[#*\s]*+Public"
    r"|released\s++under\s++(?:the\s++)?(?:GNU\s++)?(L|A)?GPL"
)
LONGEST_HEAD = 20_000  # characters; a first line may hold the whole file
UNKNOWN = ""
COPYLEFT_NAME = "GPL-1.0-or-later"
LONGEST_NAME = 200  # METADATA's `License` often holds the whole text: that is no name
MOST_TOKENS = 64
CLASSIFIER = re.compile(r"^License :: (?:OSI Approved(?: :: )?)?")
Allowed = Collection[str]


@cache
def by_name() -> dict[str, str]:
    """SPDX identifier or expression by its names, in lower case."""
    found: dict[str, str] = {}
    for line in NAMES.read_text("ascii").splitlines():
        if line.startswith("#"):
            continue
        spdx, _, names = line.partition(": ")
        found |= {name.strip().lower(): spdx for name in names.split("|") if name.strip()}
        if " " not in spdx:
            found[spdx.lower()] = spdx
    return found


@cache
def spdx(name: str) -> str:
    """The SPDX expression that a name, a classifier or an expression stands for; `UNKNOWN` if none.

    Names are as people write them: "MIT License", "Apache 2.0", "mit". A name that several
    licences share gives the AND of them.
    """
    if len(name) > LONGEST_NAME:
        return UNKNOWN
    plain = " ".join(CLASSIFIER.sub("", name.strip()).split()).rstrip(".").lower()
    shorter = plain.removeprefix("the ")
    direct = (
        by_name().get(plain)
        or by_name().get(shorter)
        or by_name().get(shorter.removesuffix(" license"))
    )
    if direct is not None:
        return direct
    tokens = _tokens(name)
    return " ".join(tokens).replace("( ", "(").replace(" )", ")") if tokens else UNKNOWN


def _tokens(text: str) -> list[str]:
    """The tokens of a well-formed SPDX expression in its own case, else nothing."""
    found: list[str] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or len(found) == MOST_TOKENS:
            return []
        at = match.end()
        word = match[1]
        found.append(OPERATORS.get(word.lower(), word if word in "()" else _identifier(word)))
    try:
        _value(found, ())
    except ValueError:
        return []
    return found


def _identifier(word: str) -> str:
    """The identifier in its own case; an unknown one as it is, which no list allows by accident."""
    known = by_name().get(word.lower()) or by_name().get(word.removesuffix("+").lower())
    return word if known is None or " " in known else known


def is_allowed(expression: str, allowed: Allowed) -> bool:
    """Whether a licensee may choose terms that are all in `allowed`.

    One side of an OR is enough, an AND needs both. `X WITH Y` is allowed where X is: an exception
    only adds permissions.
    """
    return _value(_split(expression), allowed)


@cache
def _split(expression: str) -> list[str]:
    return [match[1] for match in TOKEN.finditer(expression)]


def _value(tokens: Sequence[str], allowed: Allowed) -> bool:
    """The expression's value.

    Raises:
        ValueError: It is not well-formed.
    """
    value, at = _any(tokens, 0, allowed)
    if at != len(tokens):
        raise ValueError(tokens)
    return value


def _any(tokens: Sequence[str], at: int, allowed: Allowed) -> tuple[bool, int]:
    value, at = _all(tokens, at, allowed)
    while tokens[at : at + 1] == ["OR"]:
        other, at = _all(tokens, at + 1, allowed)
        value = value or other
    return value, at


def _all(tokens: Sequence[str], at: int, allowed: Allowed) -> tuple[bool, int]:
    value, at = _one(tokens, at, allowed)
    while tokens[at : at + 1] == ["AND"]:
        other, at = _one(tokens, at + 1, allowed)
        value = value and other
    return value, at


def _one(tokens: Sequence[str], at: int, allowed: Allowed) -> tuple[bool, int]:
    if tokens[at : at + 1] == ["("]:
        value, at = _any(tokens, at + 1, allowed)
        if tokens[at : at + 1] != [")"]:
            raise ValueError(tokens)
        return value, at + 1
    if at >= len(tokens) or tokens[at] in WORDS:
        raise ValueError(tokens)
    if tokens[at + 1 : at + 2] == ["WITH"]:
        if at + 2 >= len(tokens) or tokens[at + 2] in WORDS:
            raise ValueError(tokens)
        return tokens[at] in allowed, at + 3
    return tokens[at] in allowed, at + 1


def of_list(names: Sequence[str]) -> str:
    """What a list of detected licences stands for: all of them at once, as each may bind."""
    return both(*(spdx(name) for name in names)) if names else UNKNOWN


def both(*expressions: str) -> str:
    """The AND of expressions; `UNKNOWN` where one is."""
    unique = list(dict.fromkeys(expressions))
    if UNKNOWN in unique or len(unique) == 1:
        return unique[0] if len(unique) == 1 else UNKNOWN
    return " AND ".join(f"({one})" if " OR " in one else one for one in unique)


def of_header(head: str) -> str | None:
    """The licence that the top of a file states itself; None where it states none."""
    head = head[:LONGEST_HEAD]
    if "SPDX-License-Identifier" in head:
        match = HEADER.search(head)
        return spdx(match[1].strip().removesuffix("-->").strip()) if match else UNKNOWN
    if "GNU" in head or "GPL" in head:
        match = COPYLEFT.search(head)
        if match:
            kind = (match[1] or match[2] or "")[:1].upper()
            return (
                f"{kind if kind == 'A' else ''}GPL-1.0-or-later"
                if kind != "L"
                else "LGPL-2.0-or-later"
            )
    return None
