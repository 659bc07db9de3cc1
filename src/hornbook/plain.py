"""Text and numbers of any origin as people and programs are shown them.

What a web page, a teacher, a model or a file name holds is neither a command to a terminal nor
markup, and not every number is one that JSON has.
"""

import json
import math
import sys
from collections.abc import Mapping
from html import escape
from typing import Any

_MARK = "\N{REPLACEMENT CHARACTER}"
_KEPT = "\n\t"
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def visible(text: str) -> str:
    """The text with a mark for each character that would move, colour, turn or hide something.

    Line breaks and tabs stay; every kind of space is one space.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text.replace("\r\n", "\n")))


def _shown(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    is_line_end = character in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
    return " " if character.isspace() and not is_line_end else _MARK


def one_line(text: str, most: int | None = None) -> str:
    """Likewise on one line, and cut after `most` characters."""
    line = visible(text).replace("\n", " ").replace("\t", " ")
    return line if most is None or len(line) <= most else f"{line[: max(0, most - 3)]}..."


def markup(text: str) -> str:
    """The text in HTML and SVG, in elements as in quoted attributes."""
    return escape(visible(text))


def tell(line: str) -> None:
    """Print one line; what the terminal has no letter for is a question mark."""
    encoding = sys.stdout.encoding or "ascii"
    print(one_line(line).encode(encoding, "replace").decode(encoding))  # noqa: T201


def json_text(value: Any, *, indent: int | None = 1, sort_keys: bool = False) -> str:  # noqa: ANN401 - whatever YAML or JSON held
    """ASCII JSON that every reader takes: numbers that are none are the words NaN and Infinity."""
    return json.dumps(
        _of_json(value), indent=indent, sort_keys=sort_keys, allow_nan=False, default=str
    )


def _of_json(value: Any) -> Any:  # noqa: ANN401 - whatever YAML or JSON held
    if isinstance(value, Mapping):
        return {str(key): _of_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_of_json(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _NO_NUMBERS[str(value)]
    return value
