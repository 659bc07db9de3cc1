"""The graph with what became of each stage: by colour, and in words below its name."""

from collections.abc import Mapping, Sequence

from hornbook.diff.causes import StageDiff, Verdict, made_with, read_from
from hornbook.diff.found import Found
from hornbook.report import lineage_drawing
from hornbook.report.lineage_drawing import Node, Shown, slug

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
    became = {one.stage: one for one in found.stages}
    changed = sum(one.verdict != "no effect" for one in found.stages)
    return lineage_drawing.draw(
        nodes,
        f"Graph of {len(nodes)} stages, {changed} of which wrote other bytes; the lists above "
        f"name them",
        shown=lambda node: _shown(node.name, became.get(node.name)),
        strong={(name, one.stage) for one in found.stages for name in one.upstream},
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


def _shown(name: str, became: StageDiff | None) -> Shown:
    if became is None:
        return Shown(SAME, f"{name}: the same", None, SAME)
    told, kinds = str(became.verdict), CLASSES[became.verdict]
    if became.verdict == "first cause" and became.upstream:
        told, kinds = "cause, and inputs", f"{kinds} beside"
    why = _reasons(became.changes)
    title = f"{name}: {became.verdict}{f' ({why})' if why else ''}"
    return Shown(told, title, f"#stage-{slug(name)}", kinds)


def _reasons(changes: Sequence[object]) -> str:
    more = len(changes) - 3
    told = "; ".join(str(change) for change in changes[:3])
    return f"{told} and {more} more" if more > 0 else told
