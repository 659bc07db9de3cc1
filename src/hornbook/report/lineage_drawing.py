"""The lineage graph as SVG: a card for each noun, a row for each stage, layers left to right."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5

from hornbook.plain import markup, visible
from hornbook.report.wording import short

ROW, HEAD, PAD, GAP_X, GAP_Y = 31.0, 26.0, 7.0, 42.0, 18.0
CHARACTER = 6.9  # mean width of the label font at its size


@dataclass(frozen=True)
class Node:
    """A stage as it is drawn; `hash` is empty for the one that draws."""

    name: str
    group: str
    hash: str
    producers: tuple[str, ...]
    title: str


@dataclass
class Card:
    """A noun with its stages, placed."""

    group: str
    nodes: list[Node]
    column: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def height(self) -> float:
        """Of the frame, heading included."""
        return HEAD + ROW * len(self.nodes) + PAD

    def row_y(self, name: str) -> float:
        """The middle of a stage's row."""
        place = next(i for i, node in enumerate(self.nodes) if node.name == name)
        return self.y + HEAD + ROW * (place + 0.5)


def slug(name: str) -> str:
    """A name as part of an HTML id or of the name of a file.

    Of two names that differ in more than an at sign and a dash no two have the same.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if plain == name.replace("@", "-"):
        return plain
    return f"{plain[:80]}-{md5(visible(name).encode(), usedforsecurity=False).hexdigest()[:8]}"


def page_of(stage: str) -> str:
    """The page of a stage's artifact."""
    return f"artifact-{slug(stage)}.html"


def reduced(producers: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Direct producers without those that another producer reads anyway.

    `producers` lists the stages in topological order.
    """
    above: dict[str, set[str]] = {}
    for name, direct in producers.items():
        above[name] = set(direct).union(*(above.get(one, set()) for one in direct))
    return {
        name: tuple(
            one for one in direct if not any(one in above.get(other, ()) for other in direct)
        )
        for name, direct in producers.items()
    }


def place(nodes: Sequence[Node]) -> list[Card]:
    """Cards with their position: a noun stands left of every noun that reads it."""
    cards: dict[str, Card] = {}
    for node in nodes:
        cards.setdefault(node.group, Card(node.group, [])).nodes.append(node)
    home = {node.name: node.group for node in nodes}
    found = {
        (home[producer], node.group)
        for node in nodes
        for producer in node.producers
        if home[producer] != node.group
    }
    edges = sorted(edge for edge in found if edge[::-1] not in found)
    for _ in cards:  # as many rounds as a chain of nouns can be long
        for source, target in edges:
            # counted from the right, so that a noun stands next to its first reader
            cards[source].column = min(cards[source].column, cards[target].column - 1)
    for card in cards.values():
        card.labels = _labels(card)
        longest = max(len(text) for text in (*card.labels.values(), card.group))
        card.width = max(96.0, longest * CHARACTER + 20)
    _arrange(cards, nodes)
    return list(cards.values())


def _labels(card: Card) -> dict[str, str]:
    """The instance alone where a card has one family, else the whole name."""
    families = {node.name.partition("@")[0] for node in card.nodes}
    return {
        node.name: node.name.partition("@")[2] or node.name if len(families) == 1 else node.name
        for node in card.nodes
    }


def _arrange(cards: Mapping[str, Card], nodes: Sequence[Node]) -> None:
    """Columns side by side, each centred, cards ordered by where their readers stand."""
    columns: dict[int, list[Card]] = {}
    for card in cards.values():
        columns.setdefault(card.column, []).append(card)
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for producer in node.producers:
            readers.setdefault(producer, []).append(node.name)
    tallest = max(_height(stack) for stack in columns.values())
    rows: dict[str, float] = {}
    for _, stack in sorted(columns.items(), reverse=True):
        stack.sort(key=lambda card: (_mean_reader(card, readers, rows), card.group))
        y = (tallest - _height(stack)) / 2 + 4
        for card in stack:
            card.y = y
            y += card.height + GAP_Y
            rows |= {node.name: card.row_y(node.name) for node in card.nodes}
    x = 20.0
    for _, stack in sorted(columns.items()):
        width = max(card.width for card in stack)
        for card in stack:
            card.x, card.width = x, width
        x += width + GAP_X


def _height(stack: Sequence[Card]) -> float:
    return sum(card.height for card in stack) + GAP_Y * (len(stack) - 1)


def _mean_reader(
    card: Card, readers: Mapping[str, Sequence[str]], rows: Mapping[str, float]
) -> float:
    """The mean height of the rows to the right that read this card."""
    names = [name for node in card.nodes for name in readers.get(node.name, ()) if name in rows]
    return sum(rows[name] for name in names) / len(names) if names else 0.0


@dataclass(frozen=True)
class Shown:
    """A stage in a drawing: what is `told` below its name, and where it leads.

    `kinds` are classes that a style sheet knows, `title` is what one reads who points at it.
    """

    told: str
    title: str
    target: str | None
    kinds: str = ""


def of_report(node: Node) -> Shown:
    """A stage with the head of its hash, which leads to its page."""
    told = short(node.hash) if node.hash else "this report"
    return Shown(told, node.title, page_of(node.name) if node.hash else "index.html")


def draw(
    nodes: Sequence[Node],
    label: str | None = None,
    *,
    shown: Callable[[Node], Shown] = of_report,
    strong: Container[tuple[str, str]] = (),
) -> str:
    """The graph as an SVG element; edges that others imply are not drawn.

    `strong` are the edges, from a producer to a consumer, whose line is a strong one.
    """
    cards = place(nodes)
    home = {node.name: card for card in cards for node in card.nodes}
    edges = reduced({node.name: node.producers for node in nodes})
    width = max(card.x + card.width for card in cards) + 6
    height = max(card.y + card.height for card in cards) + 4
    lines = [
        _edge(home, source, target, " carries" if (source, target) in strong else "")
        for target, sources in edges.items()
        for source in sources
    ]
    return (
        f'<svg class="lineage" viewBox="0 0 {width:.0f} {height:.0f}" role="group" '
        f'aria-label="{markup(label or f"Lineage graph of {len(nodes)} stages")}" '
        f'style="min-width:{width * 0.78:.0f}px">\n'
        + "\n".join((*lines, *(_card(card, shown) for card in cards)))
        + "\n</svg>"
    )


def _edge(home: Mapping[str, Card], producer: str, consumer: str, kind: str) -> str:
    source, target = home[producer], home[consumer]
    y1, y2 = source.row_y(producer), target.row_y(consumer)
    if source is target:
        x1 = x2 = source.x
        bulge = min(18.0, 7.0 + abs(y2 - y1) / 14)
        bends = x1 - bulge, x1 - bulge
    else:
        x1, x2 = source.x + source.width, target.x
        bend = max(24.0, (x2 - x1) / 2)
        bends = x1 + bend, x2 - bend
    return (
        f'<path class="edge{kind}" data-from="{markup(producer)}" data-to="{markup(consumer)}" '
        f'd="M{x1:.1f} {y1:.1f} C{bends[0]:.1f} {y1:.1f} {bends[1]:.1f} {y2:.1f} '
        f'{x2:.1f} {y2:.1f}"/>'
    )


def _card(card: Card, shown: Callable[[Node], Shown]) -> str:
    rows = "\n".join(_row(card, node, shown(node)) for node in card.nodes)
    return (
        f'<g class="card"><rect x="{card.x:.1f}" y="{card.y:.1f}" width="{card.width:.1f}" '
        f'height="{card.height:.1f}" rx="7"/>'
        f'<text class="noun" x="{card.x + 11:.1f}" y="{card.y + 17:.1f}">'
        f"{markup(card.group)}</text>\n{rows}\n</g>"
    )


def _row(card: Card, node: Node, shown: Shown) -> str:
    top = card.row_y(node.name) - ROW / 2
    tag = "a" if shown.target else "g"
    leads = f' href="{markup(shown.target)}"' if shown.target else ""
    return (
        f'<{tag} class="{f"node {shown.kinds}".strip()}" id="node-{slug(node.name)}"{leads} '
        f'data-stage="{markup(node.name)}"><title>{markup(shown.title)}</title>'
        f'<rect x="{card.x + 4:.1f}" y="{top + 1:.1f}" width="{card.width - 8:.1f}" '
        f'height="{ROW - 2:.1f}" rx="4"/>'
        f'<text class="label" x="{card.x + 11:.1f}" y="{top + 13:.1f}">'
        f"{markup(card.labels[node.name])}</text>"
        f'<text class="told" x="{card.x + 11:.1f}" y="{top + 25:.1f}">{markup(shown.told)}</text>'
        f"</{tag}>"
    )
