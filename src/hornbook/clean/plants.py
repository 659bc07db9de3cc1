"""Copies of benchmark items as they occur in training text, each kind with its own damage."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from hornbook.clean.programs import UNPARSABLE

_PUNCTUATION = re.compile(r"[.,;:?!]+(?=\s|$)")
QUOTES = {"'": "\u2019", '"': "\u201d", "...": "\u2026", " - ": " \u2013 "}


def exact(text: str, draw: Random, host: Sequence[str]) -> str:  # noqa: ARG001 - one form for all
    """The text and nothing else."""
    return text


def embedded(text: str, draw: Random, host: Sequence[str]) -> str:
    """The text inside a paragraph."""
    place = draw.randrange(len(host) + 1)
    return " ".join([*host[:place], text, *host[place:]])


def lines(text: str, draw: Random, host: Sequence[str]) -> str:
    """Inside a paragraph of short lines; half of the long words at their ends are hyphenated."""
    tokens = embedded(text, draw, host).split()
    width = draw.randrange(30, 70)
    written: list[str] = []
    line = ""
    for token in tokens:
        if len(line) + len(token) <= width:
            line += f"{token} "
            continue
        if len(token) > 5 and token.isalpha() and draw.random() < 0.5:
            half = len(token) // 2
            written.append(f"{line}{token[:half]}-")
            line = f"{token[half:]} "
        else:
            written.append(line.rstrip())
            line = f"{token} "
    return "\n".join([*written, line])


def case(text: str, draw: Random, host: Sequence[str]) -> str:
    """Inside a paragraph, in other letter case and with other punctuation."""
    changed = draw.choice([str.upper, str.lower, str.title])(text)
    return embedded(_PUNCTUATION.sub(lambda _: draw.choice(["", " -", ";", "..."]), changed),
                    draw, host)  # fmt: skip


def quotes(text: str, draw: Random, host: Sequence[str]) -> str:
    """Inside a paragraph, with typographic quotes and dashes and unbreakable spaces."""
    for plain, typographic in QUOTES.items():
        text = text.replace(plain, typographic)
    tokens = [f"{token}{draw.choice([' ', ' ', chr(0xA0)])}" for token in text.split(" ")]
    return embedded("".join(tokens), draw, host)


def edited(text: str, draw: Random, host: Sequence[str], *, edits: float) -> str:
    """Inside a paragraph, with a share of its words (at least one) changed, added or left out."""
    tokens = text.split()
    for place in sorted(
        draw.sample(range(len(tokens)), max(1, round(edits * len(tokens)))), reverse=True
    ):
        change = draw.choice(["change", "add", "leave out"])
        new = [] if change == "leave out" else [draw.choice(host)]
        tokens[place : place + (change != "add")] = new
    return embedded(" ".join(tokens), draw, host)


PLANTS: Mapping[str, Callable[[str, Random, Sequence[str]], str]] = {
    "exact": exact,
    "embedded": embedded,
    "lines": lines,
    "case": case,
    "quotes": quotes,
}


def renamed(source: str, draw: Random) -> str | None:
    """The program with other variables, literals, docstrings and comments; None if unparsable."""
    try:
        tree = ast.parse(source)
    except UNPARSABLE:
        return None
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    own |= {node.name for node in functions}
    names = {name: f"{draw.choice('abcdefgh')}{n}_value" for n, name in enumerate(sorted(own))}
    for node in functions:
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Says something else."))
    _Renaming(names, draw).visit(tree)
    marked = [f"{line}  # step {n}" for n, line in enumerate(ast.unparse(tree).split("\n"))]
    return "\n".join(marked)


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], draw: Random) -> None:
        self.names = names
        self.draw = draw

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name = self.names.get(node.name, node.name)
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return ast.Constant(node.value + self.draw.randrange(1, 9))
        return node
