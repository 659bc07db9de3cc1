"""A diff as one page that needs nothing else: numbers, causes with their lines, graph, contents."""

from collections.abc import Iterator, Sequence
from html import escape

from hornbook.diff.causes import Cause, StageDiff, Verdict
from hornbook.diff.code_lines import CodeLines
from hornbook.diff.drawing import CLASSES, draw
from hornbook.diff.found import Found
from hornbook.diff.shown import Content, Table, are_numbers, filled, text_of
from hornbook.report.lineage_drawing import slug

_OPEN_LINES = 60  # of code; more is folded
_OPEN_ROWS = 15  # of a table; a longer one is folded
_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --card: #f6f6f4; --line: #d3d3cd; --ink: #1c1c1a;
  --soft: #5b5b55; --link: #1a56a0; --cause: #f7b9ae; --followed: #f9dfa6; --without: #d7e3f4;
  --random: #dfccf2; --added: #c2e5c6; --removed: #d9d9d4; --less: #fbe0dc; --more: #dcf1de; }
@media (prefers-color-scheme: dark) { :root { --ground: #17181a; --card: #202225; --line: #40444a;
  --ink: #e8e8e4; --soft: #a8aaa6; --link: #8ab6f0; --cause: #7d2f25; --followed: #6a4d10;
  --without: #2a3d59; --random: #4d3370; --added: #23512b; --removed: #45484d; --less: #4a2420;
  --more: #1f3f25; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-bottom: .3rem; } h4 { margin: 1rem 0 .3rem; font-size: .95rem; }
a { color: var(--link); } nav a { margin-right: 1rem; display: inline-block; padding: .2rem 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; } td.text { min-width: 11rem; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
caption { text-align: left; padding: .4rem .6rem; color: var(--soft); }
pre { margin: 0; padding: .6rem; font: .82rem/1.45 ui-monospace, monospace; overflow-x: auto; }
pre span { display: block; } .less { background: var(--less); } .more { background: var(--more); }
.at { color: var(--soft); } .remark { border-left: .25rem solid var(--cause); padding-left: .6rem; }
code { font-family: ui-monospace, monospace; font-size: .92em; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .2rem 1rem .8rem; margin: .8rem 0; }
summary { cursor: pointer; padding: .3rem 0; } .soft { color: var(--soft); }
.verdict { padding: .05rem .5rem; border-radius: 4px; white-space: nowrap; }
.cause { --own: var(--cause); } .followed { --own: var(--followed); }
.without { --own: var(--without); } .random { --own: var(--random); }
.added { --own: var(--added); } .removed { --own: var(--removed); } .same { --own: transparent; }
.verdict { background: var(--own); } .node rect { fill: var(--own); }
.node.removed rect, .node.random rect { stroke: var(--soft); stroke-dasharray: 4 3; }
.node.cause rect { stroke: var(--ink); stroke-width: 2; }
.node.beside rect { stroke: none; } .node { text-decoration: none; }
.lineage { display: block; font-family: system-ui, sans-serif; }
.lineage text { fill: var(--ink); } .lineage .label { font-size: 12px; }
.lineage .told, .lineage .noun { font-size: 10.5px; fill: var(--soft); }
.lineage a .told { fill: var(--ink); } .card > rect { fill: var(--card); stroke: var(--line); }
.edge { fill: none; stroke: var(--line); stroke-width: 1.2; }
.edge.carries { stroke: var(--soft); stroke-width: 2.2; }
"""
_TITLES: tuple[tuple[Verdict, str, str], ...] = (
    ("added", "Added", "Stages that only the second side has."),
    ("removed", "Removed", "Stages that only the first side has."),
    ("not deterministic", "Not deterministic",
     "Same inputs, other bytes; <code>hornbook verify STAGE</code> says where they differ."),
    ("followed", "Followed", "Only what these stages read changed."),
)  # fmt: skip


def page(found: Found) -> str:
    """The page; the same differences are the same bytes."""
    title = f"{found.before} \N{RIGHTWARDS ARROW} {found.after}"
    sections = [part for part in _sections(found) if part[2]]
    links = "".join(f'<a href="#{name}">{escape(head)}</a>' for name, head, _ in sections)
    body = "\n".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(head)}</h2>\n{inner}</section>'
        for name, head, inner in sections
    )
    of = f" Only <code>{escape(found.stage)}</code> and what it reads." if found.stage else ""
    count = len(found.stages)
    told = f"{count} {'stage differs' if count == 1 else 'stages differ'}."
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>hornbook diff: {escape(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n<p>{told}{of}</p>\n"
        f'<nav aria-label="Sections">{links}</nav></header>\n<main>\n{body}\n</main>\n'
        "</body>\n</html>\n"
    )


def _sections(found: Found) -> Iterator[tuple[str, str, str]]:
    """Id, heading and content of each; those without content are left out."""
    yield "numbers", "Numbers", _numbers(found)
    yield "causes", "First causes", "".join(_causes(found))
    for verdict, head, told in _TITLES:
        names = [one for one in found.stages if one.verdict == verdict]
        yield CLASSES[verdict], head, f"<p>{told}</p>{_list(names)}" if names else ""
    yield "without", "Changed without effect", _without(found)
    yield "graph", "Graph", _graph(found)
    yield "stages", "Every stage that differs", "".join(map(_stage, found.stages))
    yield "contents", "Contents", _contents(found)


def _numbers(found: Found) -> str:
    if found.numbers is None:
        return f"<p>Not in the cache here. {escape(found.where_numbers)}</p>"
    if not found.numbers:
        return "<p>No number of the tables differs.</p>" if _has_answer(found) else ""
    rows = tuple(one.columns() for one in found.numbers)
    table = Table(
        "Numbers of the tables that differ, with their standard errors",
        ("cell", "metric", "before", "after", "change"), rows,
    )  # fmt: skip
    return _table(table)


def _has_answer(found: Found) -> bool:
    return bool(found.stages) and found.has_tables


def _causes(found: Found) -> Iterator[str]:
    for cause in found.causes:
        if cause.alone or cause.beside:
            of = found.code.get(cause.change.what) if cause.change.kind == "code" else None
            yield (
                f"<article><h3>{escape(cause.change.kind)} "
                f"<code>{escape(cause.change.what)}</code></h3>\n"
                f"<p><code>{escape(cause.change.values)}</code></p>{_effects(cause)}"
                f"{_code(of) if of else ''}</article>\n"
            )


def _effects(cause: Cause) -> str:
    parts = (
        ("changed", cause.alone),
        ("changed, where inputs changed too:", cause.beside),
        ("without effect in", cause.without),
    )
    told = [f"<li>{head} {_links(stages)}</li>" for head, stages in parts if stages]
    return f"<ul>{''.join(told)}</ul>"


def _links(stages: Sequence[str]) -> str:
    return ", ".join(f'<a href="#stage-{slug(one)}">{escape(one)}</a>' for one in stages)


def _code(of: CodeLines) -> str:
    remarks = "".join(f'<p class="remark">{escape(one)}</p>' for one in of.remarks)
    if not of.lines:
        return remarks
    inner = "".join(f"<span{_class(line)}>{escape(line) or ' '}</span>" for line in of.lines)
    more = f"<p>{of.more:,} more lines</p>" if of.more else ""
    block = f'<div class="scroll" tabindex="0"><pre>{inner}</pre></div>{more}'
    if len(of.lines) > _OPEN_LINES:
        block = f"<details><summary>{len(of.lines):,} lines of diff</summary>{block}</details>"
    return remarks + block


def _class(line: str) -> str:
    if line.startswith(("---", "+++", "@@")):
        return ' class="at"'
    return {"-": ' class="less"', "+": ' class="more"'}.get(line[:1], "")


def _list(stages: Sequence[StageDiff]) -> str:
    rows = "".join(
        f"<li>{_links([one.stage])}"
        f"{f' <span class=soft>reads {_links(one.upstream)}</span>' if one.upstream else ''}</li>"
        for one in stages
    )
    return f"<ul>{rows}</ul>"


def _without(found: Found) -> str:
    rows = [
        f"<li>{escape(cause.change.kind)} <code>{escape(cause.change.what)}</code>: "
        f"<code>{escape(cause.change.values)}</code> in {_links(cause.without)}</li>"
        for cause in found.causes
        if not (cause.alone or cause.beside)
    ]
    told = "<p>The stages wrote the same bytes all the same.</p>"
    return f"{told}<ul>{''.join(rows)}</ul>" if rows else ""


def _graph(found: Found) -> str:
    drawn = draw(found)
    if not drawn:
        return ""
    legend = " ".join(
        f'<span class="verdict {of}">{escape(verdict)}</span>' for verdict, of in CLASSES.items()
    )
    told = (
        "A thick line carried other bytes; framed are causes of which nothing upstream changed. "
        "Each stage says in words what its colour says."
    )
    return (
        f'<p>{legend} {told}</p>\n<div class="scroll" tabindex="0" role="region" '
        f'aria-label="Graph, scrolls">{drawn}</div>\n'
    )


def _stage(one: StageDiff) -> str:
    rows = tuple((c.kind, c.what, *c.values.split(" -> ", 1)) for c in one.changes)
    table = Table("What changed of what it reads", ("kind", "what", "before", "after"), rows)
    inner = _table(table) if rows else "<p>Nothing of what it reads changed.</p>"
    return (
        f'<details id="stage-{slug(one.stage)}"><summary>{escape(one.stage)} '
        f'<span class="verdict {CLASSES[one.verdict]}">{escape(one.verdict)}</span></summary>'
        f"{inner}</details>\n"
    )


def _contents(found: Found) -> str:
    if found.contents is None:
        return "<p>Not compared; <code>--contents</code> does.</p>" if found.stages else ""
    return "".join(map(_content, found.contents)) or "<p>No artifact differs.</p>"


def _content(one: Content) -> str:
    said = [*([one.missing] if one.missing else []), *one.said]
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    inner = (f"<ul>{told}</ul>" if told else "") + "".join(map(_table, one.tables))
    return f"<article><h3>{escape(one.stage)}</h3>{inner}</article>\n"


def _table(table: Table) -> str:
    table = filled(table)
    is_number = [are_numbers(table.rows, place) for place in range(len(table.columns))]
    kinds = [' class="number"' if one else ' class="text"' for one in is_number]
    heads = [' class="number"' if one else "" for one in is_number]
    head = "".join(
        f'<th scope="col"{of}>{escape(name)}</th>'
        for name, of in zip(table.columns, heads, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{of}>{escape(text_of(cell))}</td>" for cell, of in zip(row, kinds, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    inner = (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(table.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    if len(table.rows) > _OPEN_ROWS and table.title.find("Numbers") < 0:
        title = f"{escape(table.title)}: {len(table.rows):,} rows"
        inner = f"<details><summary>{title}</summary>{inner}</details>"
    return inner + "\n"
