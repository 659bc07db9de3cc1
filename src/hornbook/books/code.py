"""The Python in a text: where it is, whether it parses, and what would prove that it runs."""

import ast
import re

# a definition up to the next line that begins a new thing; `)` closes a signature of many lines
BLOCK = re.compile(
    r"^(?:(?:async )?def \w+\(|class \w+[(:]).*(?:\n|\Z)(?:[ \t)].*(?:\n|\Z)|\n(?=[ \t)]))*",
    re.MULTILINE,
)
FENCE = re.compile(r"^```(?:python|py)\n(?!>>>)(.*?)^```", re.MULTILINE | re.DOTALL)
BARE = re.compile(
    rf"{BLOCK.pattern}|^assert .*$|^(?:import|from) \w.*$|^# .*= -?[\d.]+$", re.MULTILINE
)
STATED = re.compile(r"^# .*= (-?[\d.]+)$")
NO_ARGUMENTS = re.compile(r"^def (\w+)\(\):")


def programs(text: str) -> list[str]:
    """The Python of a text: fenced blocks and bare definitions."""
    return FENCE.findall(text) + BLOCK.findall(FENCE.sub("", text))


def prose(text: str) -> str:
    """The text without its programs, checks and comments."""
    return BARE.sub("", FENCE.sub("", text))


def parses(code: str) -> bool:
    """Whether Python accepts it."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


def runnable(text: str) -> str | None:
    """All of a text's Python as one program; None where it has none.

    A comment that states a result after a function without arguments becomes its check.
    """
    lines = [block.rstrip() for block in FENCE.findall(text)]
    last: str | None = None
    for piece in BARE.findall(FENCE.sub("", text)):
        stated, defined = STATED.match(piece), NO_ARGUMENTS.match(piece)
        if stated and last:
            lines.append(f"assert abs({last}() - {stated.group(1)}) < 1e-6, 'stated result'")
        elif not stated:
            lines.append(piece.rstrip())
        last = defined.group(1) if defined else None
    return "\n".join(lines) + "\n" if lines else None
