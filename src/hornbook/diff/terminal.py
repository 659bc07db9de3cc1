"""A diff for a terminal: changed numbers, first causes, what followed, contents where asked."""

from collections.abc import Iterator, Sequence

from hornbook.diff.causes import ORDER, Cause, StageDiff, Verdict
from hornbook.diff.found import Found
from hornbook.diff.shown import Content, Table, aligned

MOST_NUMBERS = 40
_FILE_LINES = 16  # of the code of one cause
_ALL_LINES = 160  # of all code
_CAUSES = 25
_SAME = 3  # stages of one family that are named one by one
_ROWS = 10  # of a table of contents
_WIDTH = 58  # of a cell


def lines(found: Found) -> list[str]:
    """The whole diff."""
    told = [f"{found.before} -> {found.after}: {_counted(found)}"]
    if not found.stages:
        if found.after.revision is None or found.before.revision is None:
            told.append("hornbook status shows what of the work tree has not run yet")
        return told
    told += ["", *_numbers(found)]
    told += _first(found)
    for verdict, title in _OTHERS:
        told += _others([one for one in found.stages if one.verdict == verdict], title)
    told += _without(found.causes)
    told += _contents(found)
    return told


def _counted(found: Found) -> str:
    if not found.stages:
        return "no difference in what was recorded"
    counts: dict[Verdict, int] = {}
    for one in found.stages:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    return ", ".join(f"{counts[one]} {_COUNTED[one]}" for one in ORDER if one in counts)


_COUNTED: dict[Verdict, str] = {
    "first cause": "changed by causes of their own",
    "followed": "followed",
    "no effect": "changed without effect",
    "not deterministic": "not deterministic",
    "added": "added",
    "removed": "removed",
}
_OTHERS: tuple[tuple[Verdict, str], ...] = (
    ("added", "Added: stages that only the second has"),
    ("removed", "Removed: stages that only the first has"),
    ("not deterministic", "Not deterministic: same inputs, other bytes (hornbook verify STAGE)"),
    ("followed", "Followed: only what they read changed"),
)


def _numbers(found: Found) -> list[str]:
    if found.numbers is None:
        return [f"Numbers of the tables: not in the cache here. {found.where_numbers}", ""]
    if not found.numbers:
        return ["No number of the tables differs", ""] if found.has_tables else []
    table = Table(
        "", ("cell", "metric", "before", "after", "change"),
        tuple(one.columns() for one in found.numbers),
    )  # fmt: skip
    told = aligned(table, most_rows=MOST_NUMBERS, most_width=_WIDTH)
    title = f"Numbers: {len(found.numbers)} of the tables differ"
    return [title, *_indented(told), ""]


def _first(found: Found) -> list[str]:
    first = [one for one in found.causes if one.alone or one.beside]
    if not first:
        return []
    told, room = ["First causes"], _ALL_LINES
    for cause in first[:_CAUSES]:
        told += _indented([str(cause.change)])
        told += _indented(_effects(cause), 2)
        shown = list(_code(found, cause, min(_FILE_LINES, room)))
        told += _indented(shown, 2)
        room = max(0, room - len(shown))
    more = len(first) - _CAUSES
    if more > 0:
        told += _indented([f"and {more} more: --json and --html have all"])
    return [*told, ""]


def _effects(cause: Cause) -> Iterator[str]:
    """What became of the stages that a change is of."""
    if cause.alone:
        yield f"changed {named(cause.alone)}"
    if cause.beside:
        yield f"{'also ' if cause.alone else ''}in {named(cause.beside)}, whose inputs changed too"
    if cause.without:
        yield f"without effect in {named(cause.without)}"


def _code(found: Found, cause: Cause, room: int) -> Iterator[str]:
    """Lines of code of a cause, as many as there is room for."""
    of = found.code.get(cause.change.what) if cause.change.kind == "code" else None
    if of is None:
        return
    yield from (f"! {remark}" for remark in of.remarks)
    is_folder = sum(line.startswith("+++ ") for line in of.lines) > 1
    # of a single file the first two lines name it, as the cause has done
    changed = of.lines if is_folder or not of.lines[:1] else of.lines[2:] or of.lines
    yield from (line[:120] for line in changed[:room])
    more = len(changed) - room + of.more
    if more > 0:
        yield f"{more} more {'line' if more == 1 else 'lines'}"


def _others(found: Sequence[StageDiff], title: str) -> list[str]:
    if not found:
        return []
    told = [f"{one.stage}{f'  <- {named(one.upstream)}' if one.upstream else ''}" for one in found]
    return [title, *_indented(told), ""]


def _without(causes: Sequence[Cause]) -> list[str]:
    found = [cause for cause in causes if not (cause.alone or cause.beside)]
    if not found:
        return []
    told = [f"{cause.change}  ({named(cause.without)})" for cause in found[:_CAUSES]]
    more = len(found) - _CAUSES
    told += [f"and {more} more: --json and --html have all"] if more > 0 else []
    return ["Changed without effect: the same bytes all the same", *_indented(told), ""]


def _contents(found: Found) -> list[str]:
    if found.contents is None:
        differ = [one for one in found.stages if one.verdict != "no effect"]
        return [
            "--contents compares what is in the artifacts: rows, shares, weights, answers"
        ] if differ else []  # fmt: skip
    told = ["Contents"]
    for one in found.contents:
        told += ["", *_indented(_content(one))]
    return told if found.contents else ["Contents: no artifact differs"]


def _content(one: Content) -> Iterator[str]:
    yield one.stage
    if one.missing:
        yield f"  {one.missing}"
    yield from (f"  {sentence}" for sentence in one.said)
    for table in one.tables:
        yield f"  {table.title}"
        yield from _indented(aligned(table, most_rows=_ROWS, most_width=_WIDTH), 2)


def named(stages: Sequence[str]) -> str:
    """Stages in their order; many of one family as one."""
    families: dict[str, list[str]] = {}
    for stage in stages:
        families.setdefault(stage.partition("@")[0], []).append(stage)
    return ", ".join(
        f"{family} ({len(own)} stages)" if len(own) > _SAME else ", ".join(own)
        for family, own in families.items()
    )


def _indented(told: Iterator[str] | Sequence[str], levels: int = 1) -> list[str]:
    return [f"{'  ' * levels}{line}" for line in told]
