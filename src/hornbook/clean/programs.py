"""Functions that are a benchmark's solution with other names, literals or comments.

A function is the sequence of its syntax nodes, parents first, without docstring and annotations.
Variables and literals are nodes without a name; attributes and builtins keep theirs, because who
renames a variable does not rename `append`. Two functions are as similar as twice their longest
common subsequence over the sum of their lengths. Source: phi-1, appendix on decontamination.
"""

import ast
import builtins
import keyword
import re
import textwrap
import warnings
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hornbook.clean.config import Programs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLACK = 2  # signs that are not nodes, such as words of a docstring's rest
MOST_NODES = 2000  # of a function, that its comparison stays cheap
MOST_CHARACTERS = 8000  # of a function; a benchmark's longest is 2,900 with its docstring
# begins with letters, which are found many times faster than the beginnings of lines
_DEF = re.compile(r"def[ \t]+\w+[ \t]*\(")
_BEFORE_DEF = re.compile(r"([ \t]*)(?:async[ \t]+)?")
_HEAD = re.compile(r"\)\s*(?:->[^:\n]*)?:")
_STRINGS = re.compile(r"'''.*?'''|\"\"\".*?\"\"\"|#[^\n]*|'[^'\n]*'|\"[^\"\n]*\"", re.DOTALL)
_SIGN = re.compile(r"\.?[A-Za-z_]\w*\(?|\d[\w.]*")
_NAMES = frozenset(dir(builtins))
# a builtin that is not called may be a variable of that name
_KEPT = frozenset(f"{name}(" for name in _NAMES) | frozenset(keyword.kwlist)
_END = ")"
_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.For, ast.While, ast.If, ast.With, ast.Try)
# a recursive structure is refused by the parser in one of these ways
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Known:
    """A benchmark's function; `masks` tells at which of its nodes each token is."""

    item: int
    size: int
    masks: Mapping[str, int]


class Counts:
    """How often each of several lists holds each word, as a matrix."""

    def __init__(self, listed: Sequence[Sequence[str]]) -> None:
        import numpy as np

        counted = [Counter(one) for one in listed]
        names = sorted({name for one in counted for name in one})
        self._column = {name: place for place, name in enumerate(names)}
        rows = [[one[name] for name in names] for one in counted]
        self.matrix = np.array(rows, dtype=np.int32).reshape(len(rows), len(names))
        self.sums = self.matrix.sum(axis=1)

    def row(self, words: Sequence[str]) -> "tuple[NDArray[np.int32], int]":
        """The counts of another list, and how many of its words no list of ours has."""
        import numpy as np

        places = [self._column.get(word, -1) for word in words]
        counts = np.bincount(np.array(places, dtype=np.int64) + 1, minlength=len(self._column) + 1)
        return counts[1:].astype(np.int32), int(counts[0])


class ProgramIndex:
    """The functions of all benchmarks."""

    def __init__(self, sources: Sequence[tuple[int, str]], settings: Programs) -> None:
        self.least = settings.similarity
        known: dict[tuple[int, tuple[str, ...]], str] = {}
        for item, source in sources:
            for begin, end in blocks(source):
                block = textwrap.dedent(source[begin:end])
                for tokens in parsed(block):
                    if len(tokens) >= settings.least_nodes:
                        known.setdefault((item, tuple(tokens)), block)
        order = sorted(known, key=lambda key: (len(key[1]), key[0]))
        self.functions = [_known(item, tokens) for item, tokens in order]
        self.items = frozenset(one.item for one in self.functions)
        self._sizes = [one.size for one in self.functions]
        self._signs = Counts([signs(known[key]) for key in order])
        self._nodes = Counts([key[1] for key in order])

    def search(self, text: str) -> Iterator[tuple[int, float, int, int]]:
        """(item, similarity, first character, end) of each function that a text has of theirs."""
        # without the blank at its end, which is in every text, the word is found faster
        if not self.functions or "def" not in text or "def " not in text:
            return
        for begin, end in blocks(text):
            source = text[begin:end]
            if not self._may_be(source):
                continue
            best: dict[int, float] = {}
            for tokens in parsed(textwrap.dedent(source)):
                for item, similarity in self._similar(tokens):
                    best[item] = max(best.get(item, 0.0), similarity)
            for item, similarity in sorted(best.items()):
                yield item, similarity, begin, end

    def _may_be(self, source: str) -> bool:
        """Whether the signs of a function, which cost less than its tree, are near to any known.

        Functions of `n` and `m` nodes that are similar enough differ in at most
        `(1 - least) * (n + m)` nodes; half as many more are granted to signs.
        """
        import numpy as np

        found = signs(source)
        if len(found) > 2 * MOST_NODES:
            return False
        row, unknown = self._signs.row(found)
        most = (self._signs.sums + len(found)) * (1.5 * (1 - self.least)) + SLACK
        near = np.flatnonzero(np.abs(self._signs.sums - len(found)) + unknown <= most)
        differing = np.abs(self._signs.matrix[near] - row).sum(axis=1) + unknown
        return bool((differing <= most[near]).any())

    def _similar(self, tokens: Sequence[str]) -> Iterator[tuple[int, float]]:
        import numpy as np

        low = bisect_left(self._sizes, len(tokens) * self.least / (2 - self.least))
        high = bisect_right(self._sizes, len(tokens) * (2 - self.least) / self.least)
        if low == high:
            return
        row, _ = self._nodes.row(tokens)
        common = np.minimum(self._nodes.matrix[low:high], row).sum(axis=1)
        for place in (low + np.flatnonzero(common > 0)).tolist():
            one = self.functions[place]
            least = self.least * (len(tokens) + one.size) / 2
            if common[place - low] < least:
                continue
            longest = longest_common(one, tokens)
            if longest >= least:
                yield one.item, 2 * longest / (len(tokens) + one.size)


def signs(source: str) -> list[str]:
    """What a function's text says of its tree: keywords, builtins, attributes, other words."""
    head = _HEAD.search(source)
    body = _STRINGS.sub(" 0 ", source[head.end() if head else 0 :])
    return [
        sign.rstrip("(") if sign in _KEPT or sign[0] == "." else "" for sign in _SIGN.findall(body)
    ]


def _known(item: int, tokens: Sequence[str]) -> Known:
    masks: dict[str, int] = {}
    for place, token in enumerate(tokens):
        masks[token] = masks.get(token, 0) | 1 << place
    return Known(item, len(tokens), masks)


def longest_common(one: Known, tokens: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table as the bits of a number.

    Source: Hyyro, "Bit-parallel LCS-length computation revisited", 2004.
    """
    full = (1 << one.size) - 1
    row = full
    for token in tokens:
        matched = row & one.masks.get(token, 0)
        row = (row + matched | row - matched) & full
    return one.size - row.bit_count()


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """Where the functions of a text begin and end by their indentation; inner ones are in outer."""
    done = past = 0
    for match in _DEF.finditer(text):
        # no further back than the match before, so that a line of many costs no square
        start = text.rfind("\n", past, match.start()) + 1
        is_first = start > 0 or past == 0
        past = match.end()
        before = _BEFORE_DEF.fullmatch(text, start, match.start()) if is_first else None
        if before is None or start < done:
            continue
        end = _end(text, match.end(), len(before[1].expandtabs()))
        if end - start <= MOST_CHARACTERS:
            yield start, end
            done = end


def _end(text: str, place: int, indent: int) -> int:
    """The end of the last line that is deeper than `indent`, or closes the head of the function."""
    end = line = text.find("\n", place)
    if end < 0:
        return len(text)
    while 0 <= line < len(text) - 1 and end - place <= MOST_CHARACTERS:
        following = text.find("\n", line + 1)
        following = len(text) if following < 0 else following
        content = text[line + 1 : following].expandtabs()
        stripped = content.lstrip()
        if stripped:
            if len(content) - len(stripped) <= indent and not stripped.startswith((")", "]")):
                break
            end = following
        line = following
    return end


def parsed(source: str) -> Iterator[list[str]]:
    """The nodes of each function of a source; nothing of what cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except UNPARSABLE:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield nodes(node)


def nodes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The normalised nodes, parents first; a block is closed, so that nesting counts."""
    found: list[str] = []
    known = _NAMES - _own(function)
    left: list[ast.AST | str] = [function]
    while left:  # not recursive: a tree may be deeper than the stack
        node = left.pop()
        if isinstance(node, str):
            found.append(node)
            continue
        found.append(_token(node, known))
        if isinstance(node, _BLOCKS):
            left.append(_END)
        left += reversed(list(_children(node)))
    return found


def _own(function: ast.AST) -> set[str]:
    """Names that the function gives; one may hide a builtin."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def _token(node: ast.AST, known: AbstractSet[str]) -> str:
    if isinstance(node, ast.Name) and node.id in known:
        return node.id
    if isinstance(node, ast.Attribute):
        return f".{node.attr}"
    return type(node).__name__


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "type_comment", "ctx"}:
            continue
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            for place, one in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                is_docstring = place == 0 and name == "body" and _is_text(one)
                if isinstance(one, ast.AST) and not is_docstring:
                    yield one


def _is_text(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
