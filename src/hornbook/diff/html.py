"""A diff as one page that needs nothing else: numbers, causes with their lines, graph, contents.

A page of the report's site shows the same of an experiment, from the same template.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from hornbook.diff.causes import StageDiff, Verdict, alike
from hornbook.diff.drawing import CLASSES, draw
from hornbook.diff.found import Found
from hornbook.diff.numbers import NUMBERS
from hornbook.diff.shown import Table, are_numbers, filled, text_of
from hornbook.plain import one_line
from hornbook.report.site import templates

TEMPLATES = Path(__file__).parent / "templates"
_OPEN_LINES = 60  # of code; more is folded
_OPEN_CAUSES = 6  # with the same effects; more are folded
_OPEN_ROWS = 15  # of a table; a longer one is folded
_MOST = 4000  # characters of a cell
_TITLES: tuple[tuple[Verdict, str, str], ...] = (
    ("added", "Added", "Stages that only the second side has."),
    ("removed", "Removed", "Stages that only the first side has."),
    ("not deterministic", "Not deterministic",
     "Same inputs, other bytes; hornbook verify STAGE says where they differ."),
    ("followed", "Followed", "Only what these stages read changed."),
)  # fmt: skip


def page(found: Found) -> str:
    """The page; the same differences are the same bytes."""
    known = environment(templates(TEMPLATES))
    hashes: Any = {}
    known.globals["hashes"] = hashes
    title = f"{found.before} \N{RIGHTWARDS ARROW} {found.after}"
    return known.get_template("alone.html.j2").render(**parts(found, title))


def environment(known: Environment) -> Environment:
    """Templates with what `difference.html.j2` needs to be among them."""
    filters: dict[str, Any] = {
        "kind_of_line": _kind_of_line,
        "changes": _changes,
        "filled": _sheet,
    }
    known.filters.update(filters)
    return known


def parts(found: Found, title: str) -> dict[str, Any]:
    """What `difference.html.j2` reads."""
    of = {verdict: [one for one in found.stages if one.verdict == verdict] for verdict in CLASSES}
    count = len(found.stages)
    every: dict[str, Any] = {
        "numbers": _numbers(found),
        "causes": alike(one for one in found.causes if one.alone or one.beside),
        "without": [one for one in found.causes if not (one.alone or one.beside)],
        "verdicts": {CLASSES[v]: (told, of[v]) for v, _, told in _TITLES if of[v]},
        "drawing": Markup(draw(found)),  # noqa: S704 - every text in it went through markup()
    }
    return every | {
        "title": title,
        "told": f"{count} {'stage differs' if count == 1 else 'stages differ'}.",
        "found": found,
        "kinds": CLASSES,
        "open_lines": _OPEN_LINES,
        "open_causes": _OPEN_CAUSES,
        "sections": list(_sections(found, every)),
    }


def _sections(found: Found, every: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Id and heading of each section that has anything to say."""
    is_answer = bool(found.stages) and found.has_tables
    if found.numbers is None or found.numbers or is_answer:
        yield "numbers", "Numbers"
    if every["causes"]:
        yield "causes", "First causes"
    for verdict, head, _ in _TITLES:
        if CLASSES[verdict] in every["verdicts"]:
            yield CLASSES[verdict], head
    if every["without"]:
        yield "without", "Changed without effect"
    if every["drawing"]:
        yield "graph", "Graph"
    if found.stages:
        yield "stages", "Every stage that differs"
        yield "contents", "Contents"


def _numbers(found: Found) -> dict[str, Any]:
    rows = tuple(one.columns() for one in found.numbers or ())
    title = "Numbers of the tables that differ, with their errors"
    return {**_sheet(Table(title, NUMBERS, rows)), "is_long": False}


def _changes(one: StageDiff) -> dict[str, Any]:
    rows = tuple((c.kind, c.what, *c.shown) for c in one.changes)
    return _sheet(Table("", ("kind", "what", "before", "after"), rows))


def _sheet(table: Table) -> dict[str, Any]:
    """A table as the template takes it: each column with the side that it is on."""
    table = filled(table)
    sides = ["" if are_numbers(table.rows, n) else "left" for n in range(len(table.columns))]
    return {
        "title": table.title,
        "columns": list(zip(table.columns, sides, strict=True)),
        "rows": [[one_line(text_of(cell), _MOST) for cell in row] for row in table.rows],
        "is_long": len(table.rows) > _OPEN_ROWS,
    }


def _kind_of_line(line: str) -> str:
    if line.startswith(("---", "+++", "@@")):
        return "at"
    return {"-": "less", "+": "more"}.get(line[:1], "")
