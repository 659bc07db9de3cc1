"""A diff as Markdown tables, for the Dagster UI: numbers, then stages with causes first."""

from collections.abc import Sequence

from hornbook.diff.causes import ORDER, StageDiff
from hornbook.diff.numbers import Moved
from hornbook.report.markup import plain_markdown

_CHANGES = 6  # of a stage


def as_markdown(found: Sequence[StageDiff], numbers: Sequence[Moved] | None = None) -> str:
    """The differences as tables: numbers, then stages with causes first."""
    if not found:
        return "No difference."
    lines: list[str] = []
    if numbers:
        lines += ["| cell | metric | before | after | change |", "|---|---|---|---|---|"]
        lines += [_row(one.columns()) for one in numbers] + [""]
    lines += ["| verdict | stage | why |", "|---|---|---|"]
    for one in sorted(found, key=lambda d: ORDER.index(d.verdict)):
        why = "<br>".join(_cell(str(change)) for change in one.changes[:_CHANGES])
        lines.append(f"| {one.verdict} | {_cell(one.stage)} | {why} |")
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Text of any origin in a cell: on one line, and no markup."""
    return plain_markdown(text).replace("|", "\\|")
