"""The graph as SVG with what became of each stage: by colour, and in words below its name."""

from collections.abc import Mapping, Sequence
from html import escape

from hornbook.diff.causes import StageDiff, Verdict, made_with, read_from
from hornbook.diff.found import Found
from hornbook.report.lineage_drawing import ROW, Card, Node, place, reduced, slug

SAME = "same"
CLASSES: Mapping[Verdict, str] = {
    "first cause": "cause",
    "followed": "followed",
    "no effect": "without",
    "not deterministic": "random",
    "added": "added",
    "removed": "removed",
}


def draw(found: Found) -> str:
    """The stages of both sides and what they read; none where there are no stages."""
    nodes = _nodes(found)
    if not nodes:
        return ""
    verdicts = {one.stage: one for one in found.stages}
    cards = place(nodes)
    home = {node.name: card for card in cards for node in card.nodes}
    edges = reduced({node.name: node.producers for node in nodes})
    width = max(card.x + card.width for card in cards) + 6
    height = max(card.y + card.height for card in cards) + 4
    lines = [
        _edge(home, source, target, verdicts)
        for target, sources in edges.items()
        for source in sources
    ]
    changed = sum(one.verdict != "no effect" for one in found.stages)
    return (
        f'<svg class="lineage" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="graph-title" style="min-width:{width * 0.78:.0f}px">'
        f'<title id="graph-title">Graph of {len(nodes)} stages, {changed} of which wrote other '
        f"bytes; the lists above name them</title>\n"
        + "\n".join((*lines, *(_card(card, verdicts) for card in cards)))
        + "\n</svg>"
    )


def _nodes(found: Found) -> list[Node]:
    """The stages in an order in which each comes after what it reads."""
    recorded = {**found.before.lock, **found.after.lock}
    if found.stage is not None:
        wanted = made_with(found.stage, found.before.lock, found.after.lock)
        recorded = {name: entry for name, entry in recorded.items() if name in wanted}
    read = {**read_from(found.before.lock), **read_from(found.after.lock)}
    ordered: list[str] = []

    def add(name: str, above: frozenset[str]) -> None:
        if name in ordered or name in above:
            return
        for producer in read.get(name, ()):
            add(producer, above | {name})
        ordered.append(name)

    for name in [*(one for one in found.graph.stages if one in recorded), *sorted(recorded)]:
        add(name, frozenset())
    return [_node(found, name, tuple(p for p in read[name] if p in ordered)) for name in ordered]


def _node(found: Found, name: str, producers: tuple[str, ...]) -> Node:
    stage = found.graph.stages.get(name)
    family = name.partition("@")[0]
    group = str(stage.meta.get("group", family)) if stage else family
    return Node(name, group, "", producers, name)


def _edge(
    home: Mapping[str, Card], source: str, target: str, verdicts: Mapping[str, StageDiff]
) -> str:
    """A curve from a stage to one that reads it; a strong one where other bytes went along it."""
    a, b = home[source], home[target]
    y1, y2 = a.row_y(source), b.row_y(target)
    if a is b:
        x1 = x2 = a.x
        bends = (a.x - 14, a.x - 14)
    else:
        x1, x2 = a.x + a.width, b.x
        bend = max(24.0, (x2 - x1) / 2)
        bends = (x1 + bend, x2 - bend)
    carries = target in verdicts and source in verdicts[target].upstream
    return (
        f'<path class="edge{" carries" if carries else ""}" d="M{x1:.1f} {y1:.1f} '
        f'C{bends[0]:.1f} {y1:.1f} {bends[1]:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"/>'
    )


def _card(card: Card, verdicts: Mapping[str, StageDiff]) -> str:
    rows = "\n".join(_row(card, node, verdicts.get(node.name)) for node in card.nodes)
    return (
        f'<g class="card"><rect x="{card.x:.1f}" y="{card.y:.1f}" width="{card.width:.1f}" '
        f'height="{card.height:.1f}" rx="7"/>'
        f'<text class="noun" x="{card.x + 11:.1f}" y="{card.y + 17:.1f}">'
        f"{escape(card.group)}</text>\n{rows}\n</g>"
    )


def _row(card: Card, node: Node, became: StageDiff | None) -> str:
    top = card.row_y(node.name) - ROW / 2
    told = became.verdict if became else SAME
    of = CLASSES[became.verdict] if became else SAME
    if became and became.verdict == "first cause" and became.upstream:
        told, of = "cause, and inputs", f"{of} beside"
    box = (
        f"<title>{escape(_title(node.name, became))}</title>"
        f'<rect x="{card.x + 4:.1f}" y="{top + 1:.1f}" width="{card.width - 8:.1f}" '
        f'height="{ROW - 2:.1f}" rx="4"/>'
        f'<text class="label" x="{card.x + 11:.1f}" y="{top + 13:.1f}">'
        f"{escape(card.labels[node.name])}</text>"
        f'<text class="told" x="{card.x + 11:.1f}" y="{top + 25:.1f}">{escape(told)}</text>'
    )
    if became is None:
        return f'<g class="node {of}">{box}</g>'
    return f'<a class="node {of}" href="#stage-{slug(node.name)}">{box}</a>'


def _title(name: str, became: StageDiff | None) -> str:
    if became is None:
        return f"{name}: the same"
    why = _reasons(became.changes)
    return f"{name}: {became.verdict}{f' ({why})' if why else ''}"


def _reasons(changes: Sequence[object]) -> str:
    more = len(changes) - 3
    told = "; ".join(str(change) for change in changes[:3])
    return f"{told} and {more} more" if more > 0 else told
