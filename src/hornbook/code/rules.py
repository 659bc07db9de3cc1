"""Which source file is kept, and the one reason why another is not."""

import ast
import re
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from hornbook.code import licences, secrets
from hornbook.code.config import Corpus
from hornbook.code.syntax import Fault, parse

Reason = Literal[
    "symlink", "unreadable", "damaged_file", "damaged_row", "too_large", "encoding", "language",
    "no_licence", "licence", "vendored", "test", "generated", "too_short", "too_long", "minified",
    "data", "encoded", "secret", "empty_page", "exact_duplicate",
] | Fault  # fmt: skip
LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))
NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# what The Stack v2 takes for inline data
BASE64 = re.compile(r"[a-zA-Z0-9+/\n=]{64,}")
HEX = re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}")
ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}")
TABLES = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant)
PLAIN = (*TABLES, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context, ast.Name, ast.BinOp)


class Source(NamedTuple):
    """A source file as it was found; `text` is None where it could not be had, `fault` says why."""

    name: str
    text: str | None
    licence: str  # SPDX; empty: none is known
    fault: Reason | None = None


class Verdict(NamedTuple):
    """The text to keep, or the reason against it."""

    text: str
    licence: str
    lines: int
    masked: int
    reason: Reason | None


def _members(allowed: bytes) -> bytes:
    """A table for `bytes.translate` that maps members to `a` and all else to a blank."""
    return bytes(97 if byte in allowed else 32 for byte in range(256))


IN_BASE64 = _members(LETTERS + b"0123456789+/\n=")
IN_HEX = _members(b"0123456789abcdefABCDEFx\\, \t\n\r\f\v")


class Judge:
    """The rules of a section of conf, ready for many files."""

    def __init__(self, rules: Corpus) -> None:
        self.rules = rules
        self.allowed = frozenset(rules.licences)
        self.marks = re.compile(
            "|".join(rules.generated_marks) or r"(?!)", re.IGNORECASE | re.MULTILINE
        )
        self.vendored = frozenset(rules.vendored_folders)
        self.test_folders = frozenset(rules.test_folders)

    def judge(self, source: Source) -> Verdict:
        """The first rule that a file breaks, or the text as it is kept."""
        if source.fault is not None or source.text is None:
            return Verdict(source.text or "", source.licence, 0, 0, source.fault or "encoding")
        text, rules = source.text, self.rules
        lines = text.splitlines()
        head = "\n".join(lines[: rules.head_lines])
        own = licences.of_header(head)
        licence = source.licence if own is None else own
        reason = (
            self._of_licence(licence)
            or self._of_name(source.name)
            or ("generated" if self.marks.search(head[:20_000]) else None)
            or self._of_shape(text, lines)
        )
        if reason is not None:
            return Verdict(text, licence, len(lines), 0, reason)
        found = secrets.find(text, rules.secrets)
        if found and rules.secrets.found == "drop":
            return Verdict(text, licence, len(lines), len(found), "secret")
        parsed = parse(text)
        if parsed.tree is None:
            return Verdict(text, licence, len(lines), 0, parsed.fault)
        reason = self._of_tree(parsed.tree, len(lines))
        if found and reason is None:
            text = secrets.masked(text, found)
        return Verdict(text, licence, len(lines), len(found), reason)

    def _of_licence(self, licence: str) -> Reason | None:
        if not licence or licence == "LicenseRef-none":
            return "no_licence"
        return None if licences.is_allowed(licence, self.allowed) else "licence"

    def _of_name(self, name: str) -> Reason | None:
        path = PurePosixPath(name)
        folders = {part.lower() for part in path.parts[:-1]}
        if folders & self.vendored:
            return "vendored"
        file = path.name.lower()
        if folders & self.test_folders or any(fnmatchcase(file, g) for g in self.rules.test_names):
            return "test"
        return None

    def _of_shape(self, text: str, lines: list[str]) -> Reason | None:
        rules = self.rules
        if len(lines) < rules.min_lines:
            return "too_short"
        if len(lines) > rules.max_lines:
            return "too_long"
        if (
            max(map(len, lines)) > rules.max_line_length
            or len(text) / len(lines) > rules.max_mean_line_length
        ):
            return "minified"
        raw = text.encode()
        if letters(text, raw) / len(text) < rules.min_alpha:
            return "data"
        longest, total = encoded(text, raw, longest=rules.max_encoded_run, share=rules.max_encoded)
        if longest > rules.max_encoded_run or total / len(text) > rules.max_encoded:
            return "encoded"
        return None

    def _of_tree(self, tree: ast.Module, num_lines: int) -> Reason | None:
        if literal_lines(tree) / num_lines > self.rules.max_literal_lines:
            return "data"
        defined = [is_test(n) for n in tree.body if isinstance(n, DEFINITIONS)]
        if defined and sum(defined) / len(defined) > self.rules.max_test_definitions:
            return "test"
        return None


DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def is_test(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a definition is one that a test runner collects, and that checks something."""
    if not isinstance(node, ast.ClassDef):
        is_named = node.name.startswith("test_") or node.name == "test"
        return is_named and any(map(_is_check, ast.walk(node)))
    bases = [base.attr if isinstance(base, ast.Attribute) else base.id
             for base in node.bases if isinstance(base, ast.Attribute | ast.Name)]  # fmt: skip
    if any(name.endswith(("TestCase", "TestSuite")) for name in bases):
        return True
    methods = [one for one in node.body if isinstance(one, DEFINITIONS[1:])]
    return node.name.startswith("Test") and any(
        one.name.startswith("test") and any(map(_is_check, ast.walk(one))) for one in methods
    )


def _is_check(node: ast.AST) -> bool:
    """Whether it is an assertion, or a call that is named like one."""
    if isinstance(node, ast.Attribute | ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        return name.startswith(("assert", "raises", "check"))
    return isinstance(node, ast.Assert)


def letters(text: str, raw: bytes) -> int:
    """How many characters are letters; `raw` is the text in UTF-8."""
    plain = len(raw) - len(raw.translate(None, LETTERS))
    if text.isascii():
        return plain
    rest = Counter("".join(NOT_ASCII.findall(text)))
    return plain + sum(times for char, times in rest.items() if char.isalpha())


def encoded(text: str, raw: bytes, *, longest: int, share: float) -> tuple[int, int]:
    """Length of the longest run of inline data, and of all such runs together.

    What cannot reach `longest` or `share` of the text is not looked for: the two searches before
    each pattern are a hundred times faster than it is.
    """
    runs: list[int] = []
    if b"a" * 64 in raw.translate(IN_BASE64):
        runs += [len(match[0]) for match in BASE64.finditer(text)]
    hexadecimal = raw.translate(IN_HEX)
    if b"a" * longest in hexadecimal or hexadecimal.count(b"a") > share * len(raw):
        runs += [len(match[0]) for match in HEX.finditer(text)]
    if "\\u" in text:
        runs += [len(match[0]) for match in ESCAPES.finditer(text)]
    return max(runs, default=0), sum(runs)


def literal_lines(tree: ast.Module) -> int:
    """Lines of the file that are tables of constants."""
    total = 0
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, TABLES) and value.end_lineno is not None:
            span = value.end_lineno - value.lineno + 1
            if span > 1 and all(isinstance(part, PLAIN) for part in ast.walk(value)):
                total += span
    return total
