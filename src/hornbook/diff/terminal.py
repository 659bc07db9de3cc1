"""A diff for a terminal: changed numbers, first causes, what followed, contents where asked."""

from collections.abc import Iterator, Sequence

from hornbook.diff.causes import ORDER, Cause, StageDiff, Verdict, alike
from hornbook.diff.code_lines import CodeLines
from hornbook.diff.found import Found
from hornbook.diff.numbers import CLEAR, NUMBERS
from hornbook.diff.shown import Content, Table, aligned
from hornbook.plain import one_line

MOST_NUMBERS = 25
_FILE_LINES = 16  # of the code of one cause
_ALL_LINES = 160  # of all code
_CAUSES = 25
_ALIKE = 6  # causes with the same effects
_SAME = 3  # stages of one family that are named one by one
_ROWS = 10  # of a table of contents
_WIDTH = 58  # of a cell
_LONGEST = 500  # characters of a line


def lines(found: Found) -> list[str]:
    """The whole diff, the answers first."""
    return [one_line(line, _LONGEST) for line in _lines(found)]


def _lines(found: Found) -> list[str]:
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
    told += _all_code(found)
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
        told = [found.where_numbers] if found.where_numbers else []
        return [*told, "No number of the tables differs", ""] if found.has_tables else []
    # those that a reader should see first
    ordered = sorted(found.numbers, key=lambda one: not one.is_clear)
    rows = tuple((*one.columns(), "*" if one.is_clear else "") for one in ordered)
    told = aligned(Table("", (*NUMBERS, ""), rows), most_rows=MOST_NUMBERS, most_width=_WIDTH)
    clear = sum(one.is_clear for one in found.numbers)
    count = f"{clear} clearly (*)" if clear else "none clearly"
    by = f"over {CLEAR:.0f} errors, or intervals apart"
    title = f"Numbers: {len(found.numbers)} of the tables differ, {count}: {by}"
    return [title, *_indented(told), *([found.where_numbers] * bool(found.where_numbers)), ""]


def _first(found: Found) -> list[str]:
    """Each cause on a line, those with the same effects together and these below them."""
    first = [one for one in found.causes if one.alone or one.beside]
    if not first:
        return []
    told, room = ["First causes"], _CAUSES
    for causes in alike(first):
        shown = causes[: min(_ALIKE, room)]
        more = len(causes) - len(shown)
        if shown:
            told += _indented([str(one.change) for one in shown])
            told += _indented([f"and {more} more alike"] * bool(more))
            told += _indented(_effects(causes[0]), 2)
        room -= len(shown)
    if len(first) > _CAUSES - room:
        told += _indented([f"{len(first)} in all: --json and --html have them"])
    return [*told, ""]


def _effects(cause: Cause) -> Iterator[str]:
    """What became of the stages that a change is of."""
    if cause.alone:
        yield f"changed {named(cause.alone)}"
    if cause.beside:
        yield f"{'also ' if cause.alone else ''}in {named(cause.beside)}, whose inputs changed too"
    if cause.without:
        yield f"without effect in {named(cause.without)}"


def _all_code(found: Found) -> list[str]:
    """The lines of the causes that are code, behind the answers, as far as there is room."""
    told, room = list[str](), _ALL_LINES
    for cause in found.causes:
        of = found.code.get(cause.change.what) if cause.change.kind == "code" else None
        if of is not None and (cause.alone or cause.beside):
            shown = list(_code(of, min(_FILE_LINES, room)))
            told += [*_indented([of.path]), *_indented(shown, 2)]
            room = max(0, room - len(shown))
    return ["Lines of code", *told, ""] if told else []


def _code(of: CodeLines, room: int) -> Iterator[str]:
    """Lines of code of a file or folder, as many as there is room for."""
    yield from (f"! {remark}" for remark in of.remarks)
    is_folder = sum(line.startswith("+++ ") for line in of.lines) > 1
    # of a single file the first two lines name it, as the line above has done
    changed = of.lines if is_folder or not of.lines[:1] else of.lines[2:] or of.lines
    yield from (one_line(line, 120) for line in changed[:room])
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
