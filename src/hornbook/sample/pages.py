"""Small web pages of many kinds, good and bad, written by the grammar in `bank/`."""

import random
from collections.abc import Callable
from typing import NamedTuple

from hornbook.sample.grammar import Writer, bank

Written = tuple[str, list[str]]
Write = Callable[[Writer], Written]
TOPIC = "topic "
PLAIN_STARTS = {"The", "A", "In", "This", "It", "When", "If", "As", "At", "On", "To", "Each", "Its"}


class WebPage(NamedTuple):
    """Title and paragraphs of a page; `kind` is what it is an example of."""

    kind: str
    title: str
    paragraphs: tuple[str, ...]


class Kind(NamedTuple):
    """How many of a thousand pages are of this kind, and how one is written."""

    per_mille: int
    write: Write


def plan(name: str) -> Write:
    """Pages by one of the section's plans, whose paragraphs ` // ` separates."""

    def write(writer: Writer) -> Written:
        title = writer.prose(writer.draw(f"{name}.title"))
        order = writer.rng.choice(writer.rules[f"{name}.page"])
        return title, [writer.prose(part) for part in order.split(" // ")]

    return write


def lines(name: str, low: int, high: int, *, title: str | None = None) -> Write:
    """Pages of `low` to `high` lines of the section in its order, the first line always."""

    def write(writer: Writer) -> Written:
        rows = writer.rules[f"{name}.page"]
        head = writer.prose(writer.draw(title or f"{name}.title"))
        count = min(writer.rng.randint(low, high), len(rows))
        chosen = [0, *sorted(writer.rng.sample(range(1, len(rows)), count - 1))]
        return head, paragraphs([writer.prose(rows[at]) for at in chosen], writer.rng)

    return write


def twice(name: str) -> Write:
    """All lines of the section, twice: long enough to be judged by more than its length."""

    def write(writer: Writer) -> Written:
        rows = writer.rules[f"{name}.page"] * 2
        return writer.prose("$short.title"), [writer.prose(row) for row in rows]

    return write


def paragraphs(sentences: list[str], rng: random.Random) -> list[str]:
    """The sentences in order, some of them joined with the one before."""
    found: list[str] = []
    for sentence in sentences:
        if found and rng.random() < 0.4:
            found[-1] += f" {sentence}"
        else:
            found.append(sentence)
    return found


def explainer(writer: Writer) -> Written:
    """How something comes about, with an example and a question: the educational kind."""
    rng = writer.rng
    topic = rng.choice([name for name in writer.rules if name.startswith(TOPIC)])
    writer.bound["what.t"] = topic.removeprefix(TOPIC)
    facts = writer.rules[topic]
    told: list[str] = []
    for at in sorted(rng.sample(range(len(facts)), rng.randint(3, len(facts)))):
        fact = facts[at]
        if rng.random() < 0.3:
            first, _, rest = fact.partition(" ")
            low = first.lower() if first in PLAIN_STARTS else first
            fact = f"$explain.link {low} {rest}"
        told.append(writer.prose(fact))
    title, parts = plan("explain")(writer)
    at = parts.index("@facts")
    return title, [*parts[:at], *paragraphs(told, rng), *parts[at + 1 :]]


def events(writer: Writer) -> Written:
    """A calendar of a few dates."""
    title, parts = plan("event")(writer)
    return title, [*parts[: writer.rng.randint(2, 5)], parts[-1]]


def toxic(writer: Writer) -> Written:
    """A thread with replies that nobody wants in a textbook."""
    title, parts = plan("forum")(writer)
    at = writer.rng.randint(1, len(parts))
    hostile = [writer.prose("$toxic.reply") for _ in range(writer.rng.randint(1, 2))]
    return title, [*parts[:at], *hostile, *parts[at:]]


def personal(writer: Writer) -> Written:
    """News with contact data: reserved domains, numbers and addresses, nobody's in fact."""
    title, parts = plan("news")(writer)
    return title, [*parts, writer.prose("$personal.note")]


def link_farm(writer: Writer) -> Written:
    """Nothing but links."""
    items = [f"- {writer.draw('links.item')}" for _ in range(writer.rng.randint(25, 60))]
    return writer.prose("$links.title"), items


def spam(writer: Writer) -> Written:
    """The same keywords over and over."""
    title, parts = lines("spam", 3, 3)(writer)
    return title, parts * writer.rng.randint(2, 4)


def repeated(writer: Writer) -> Written:
    """A page whose template printed its news five times."""
    title, parts = plan("news")(writer)
    return title, parts * 5


def unspaced(writer: Writer) -> Written:
    """Words that lost the spaces between them."""
    title, parts = plan("news")(writer)
    glued = ["".join(part.replace(".", "").split()[:6]) for part in parts]
    return title, [f"The {word} of {word}." for word in glued * 8]


KINDS: dict[str, Kind] = {
    "explainer": Kind(260, explainer),
    "howto": Kind(55, plan("howto")),
    "garden": Kind(40, lines("garden", 6, 9)),
    "recipe": Kind(50, lines("recipe", 6, 9)),
    "news": Kind(135, plan("news")),
    "forum": Kind(100, plan("forum")),
    "diary": Kind(85, lines("diary", 5, 9)),
    "review": Kind(40, lines("review", 4, 6)),
    "events": Kind(20, events),
    "job": Kind(10, lines("job", 3, 4)),
    "faq": Kind(20, lines("faq", 4, 6)),
    "life": Kind(45, lines("life", 4, 7)),
    "shop": Kind(45, lines("shop", 3, 5)),
    "spam": Kind(10, spam),
    "links": Kind(6, link_farm),
    "short": Kind(9, lines("short", 1, 2)),
    "german": Kind(10, lines("de", 5, 8)),
    "french": Kind(10, lines("fr", 4, 7)),
    "spanish": Kind(10, lines("es", 4, 7)),
    "toxic": Kind(12, toxic),
    "personal": Kind(12, personal),
    "casino": Kind(4, lines("casino", 2, 2, title="spam.title")),
    "symbols": Kind(2, twice("symbols")),
    "figures": Kind(2, twice("figures")),
    "telegram": Kind(2, twice("telegram")),
    "teaser": Kind(1, twice("teaser")),
    "filler": Kind(1, twice("filler")),
    "script": Kind(1, twice("script")),
    "endless": Kind(1, twice("endless")),
    "repeated": Kind(1, repeated),
    "unspaced": Kind(1, unspaced),
}


def page(kind: str, rng: random.Random) -> WebPage:
    """A page of the kind."""
    title, text = KINDS[kind].write(Writer(rng, bank(), {}))
    return WebPage(kind, title, tuple(text))


def kind_of(number: int) -> str:
    """The kind of page `number`: a thousand pages in a row hold each kind as often as stated."""
    place = number * 619 % 1000  # 619 and 1000 have no common factor, so each place comes once
    for kind, (per_mille, _) in KINDS.items():
        place -= per_mille
        if place < 0:
            return kind
    raise AssertionError(f"the kinds add up to {sum(k.per_mille for k in KINDS.values())} of 1000")
