"""Whether a text is Python, and if not, why; no text ends the process or changes its answer."""

import ast
import re
import threading
import warnings
from typing import Literal, NamedTuple

Fault = Literal["syntax", "python2", "nul", "nesting"]
# what the parser of Python 3 says of the statements of Python 2
MESSAGES = re.compile(
    r"Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenth|"
    r"inconsistent use of tabs"
)
OLD_LINE = re.compile(
    r"^\s*print(?:\s+[^\s=(.\[,:]|\s*>>)|^\s*exec\s+[\w\"']|except\s+[\w.()\s,]+?,\s*\w+\s*:|"
    r"^\s*raise\s+[\w.]+\s*,|<>|`[^`]+`|\b\d+[lL]\b|\b0[0-7]+\b|\b[uU][rR][\"']|"
    r"\bdef\s+\w+\s*\([^)]*\([\w\s,]+\)|lambda\s*\(\w"
)
LONGEST_LINE = 2000  # that is looked at for statements of Python 2


class Parsed(NamedTuple):
    """The tree, or the fault that there is none."""

    tree: ast.Module | None
    fault: Fault | None


def parse(text: str) -> Parsed:
    """The syntax tree of `text` by this Python."""
    if "\0" in text:
        return Parsed(None, "nul")
    try:
        return Parsed(_parse(text), None)
    except RecursionError:
        return _parse_apart(text)
    except MemoryError:  # the parser's own stack
        return Parsed(None, "nesting")
    except SyntaxError as error:
        return Parsed(None, _fault(error, text))
    except ValueError:
        return Parsed(None, "syntax")


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes; as errors they would be faults of syntax
        return ast.parse(text)


def _parse_apart(text: str) -> Parsed:
    """The same on an empty stack: how deep the caller is must not decide about a document."""
    found = [Parsed(None, "nesting")]

    def run() -> None:
        try:
            found[0] = Parsed(_parse(text), None)
        except (RecursionError, MemoryError):
            return
        except (SyntaxError, ValueError):
            found[0] = Parsed(None, "syntax")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def _fault(error: SyntaxError, text: str) -> Fault:
    """Whether the line at fault is one that Python 2 would take."""
    if MESSAGES.search(error.msg or ""):
        return "python2"
    lines = text.split("\n")
    at = (error.lineno or 0) - 1
    line = lines[at] if 0 <= at < len(lines) else ""
    return "python2" if len(line) <= LONGEST_LINE and OLD_LINE.search(line) else "syntax"
