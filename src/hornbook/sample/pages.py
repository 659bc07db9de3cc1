"""Small web pages from templates of ours: what a crawl holds, good and bad."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class WebPage(NamedTuple):
    """Title and paragraphs of a page; `kind` is what it is an example of."""

    kind: str
    title: str
    paragraphs: list[str]


@cache
def words() -> dict[str, Any]:
    """The word banks."""
    return yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))


def upper(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def explainer(rng: random.Random) -> WebPage:
    """How something in nature comes about: the educational kind."""
    w = words()
    thing, (one, two, three) = rng.choice(w["natural"]), rng.choice(w["causes"])
    town, person = rng.choice(w["towns"]), rng.choice(w["people"])
    other = rng.choice([c for c in w["causes"] if c[0] != one])
    count, years = rng.randint(2, 90), rng.randint(10, 900)
    intro = rng.choice([
        f"Have you ever seen a {thing} near {town}? This page explains how such a thing begins.",
        f"A {thing} is more than it seems. To understand it, we follow its story step by step.",
        f"Visitors of {town} often ask {person} about the {thing}. Here is the answer.",
        f"What is a {thing}, and why does it change over {years} years?",
    ])  # fmt: skip
    body = rng.choice([
        f"First {one}. Then {two}. In the end {three}. This is why a {thing} never stays the same.",
        f"It starts when {one}. Because of this, {two}. After some time {three}.",
        f"{upper(three)}, because {two}. And that happens only when {one}.",
    ])  # fmt: skip
    example = rng.choice([
        f"For example, about {count} kilometers from {town} you can see it after a wet spring.",
        f"Imagine a box of sand and a cup of water: you can repeat the same thing in {count} minutes.",
        f"A simple example: {person} measured it for {count} days and saw that {one}.",
    ])  # fmt: skip
    contrast = f"Compare this with another case, where {other[0]} and {other[1]}. There {other[2]}, so the result is different."
    question = rng.choice([
        f"Question: what would happen if it was {count} degrees colder? Think about the first step again.",
        f"Try it yourself: draw the steps and explain why {two}.",
        f"To learn more, ask why {one} in some places and not in others.",
    ])  # fmt: skip
    paragraphs = [intro, body, example, contrast, question]
    rng.shuffle(paragraphs[2:])
    return WebPage("explainer", f"How a {thing} works: lesson from {town}", paragraphs)


def howto(rng: random.Random) -> WebPage:
    """Repairing a machine, step by step."""
    w = words()
    machine, fault = rng.choice(w["machines"]), rng.choice(w["faults"])
    steps, town = rng.sample(w["checks"], 4), rng.choice(w["towns"])
    minutes, person = rng.randint(5, 80), rng.choice(w["people"])
    opening = rng.choice([
        f"My {machine} {fault}. {person} from {town} showed me how to find the reason.",
        f"If your {machine} {fault}, you can often repair it in {minutes} minutes.",
        f"A {machine} that {fault} is a common case in our repair cafe in {town}.",
    ])  # fmt: skip
    listed = f"First, {steps[0]}. Next, {steps[1]}. Then {steps[2]}. As a last step, {steps[3]}."
    why = f"We {steps[0]} before anything else because it is safe and takes only a minute. If the {machine} still {fault}, the cause is deeper inside."
    note = f"For example, in {rng.randint(3, 40)} of {rng.randint(50, 90)} cases it was enough to {steps[1]}."
    return WebPage("howto", f"How to repair a {machine} that {fault}", [opening, listed, why, note])


def recipe(rng: random.Random) -> WebPage:
    """A dish with its parts and steps."""
    w = words()
    dish, parts, person = (
        rng.choice(w["dishes"]),
        rng.sample(w["parts"], 5),
        rng.choice(w["people"]),
    )
    minutes, plant = rng.randint(10, 90), rng.choice(w["plants"])
    told = rng.choice([
        f"{person} learned to make {dish} in {rng.choice(w['towns'])}.",
        f"This {dish} is what we eat when the {plant} are ripe.",
        f"There are many ways to make {dish}, and this one needs {minutes} minutes.",
    ])  # fmt: skip
    return WebPage("recipe", f"{upper(dish)} with {plant}", [
        told,
        f"You need {parts[0]}, {parts[1]}, {parts[2]}, {parts[3]} and {parts[4]}.",
        f"Start with {parts[0]} and {parts[1]} in a large pan. Add {parts[2]} after {rng.randint(3, 15)} minutes. Then stir in {parts[3]}, and at the end {parts[4]}.",
        f"Let it rest for {minutes} minutes before you serve it. It tastes even better the next day with {plant} from the garden.",
    ])  # fmt: skip


def news(rng: random.Random) -> WebPage:
    """Local news."""
    w = words()
    town, place = rng.choice(w["towns"]), rng.choice(w["history"])
    event, reason = rng.choice(w["events"]), rng.choice(w["reasons"])
    one, two = rng.sample(w["people"], 2)
    return WebPage("news", f"{upper(place)} in {town} {event}", [
        f"{town}. {upper(place)} {event} {reason}. About {rng.randint(40, 900)} people came to see it on {rng.choice(['Monday', 'Friday', 'Saturday', 'Sunday'])}.",
        f"\"We have waited for this for {rng.randint(2, 30)} years\", said {one}. {two}, who lives nearby, was less happy and spoke of the noise.",
        f"The council of {town} spent {rng.randint(10, 900)} thousand on the work. It began {rng.randint(2, 24)} months ago, {rng.choice(w['reasons'])}.",
        f"Next month {rng.choice(w['history'])} of {rng.choice(w['towns'])} {rng.choice(w['events'])}, and {two} will write about that as well.",
    ])  # fmt: skip


def forum(rng: random.Random) -> WebPage:
    """A question and replies."""
    w = words()
    machine, fault, plant = (
        rng.choice(w["machines"]),
        rng.choice(w["faults"]),
        rng.choice(w["plants"]),
    )
    people, feelings = rng.sample(w["people"], 4), rng.sample(w["feelings"], 3)
    return WebPage("forum", f"{machine} {fault} - help please", [
        f"{people[0]} wrote: hello all, since last week my {machine} {fault}. I want to {rng.choice(w['checks'])} but do not know how. Any idea what that can be?",
        f"{people[1]} wrote: {feelings[0]}. Did you {rng.choice(w['checks'])} already? With my old {machine} that was it, after {rng.randint(2, 30)} days of trying.",
        f"{people[2]} wrote: {feelings[1]}. In my shed with the {plant} it was the damp air, so the {machine} {rng.choice(w['faults'])} as well.",
        f"{people[3]} wrote: {feelings[2]}. You should {rng.choice(w['checks'])} and then tell us what you found.",
    ])  # fmt: skip


def shop(rng: random.Random) -> WebPage:
    """Advertising without content."""
    w = words()
    product, praise = rng.choice(w["products"]), rng.sample(w["praise"], 6)
    lines = [
        f"{upper(product)}: {praise[0]}, {praise[1]}! Only {rng.randint(5, 99)}.99 for the {product}."
    ]
    lines += [
        f"{upper(praise[2])} and {praise[3]} with every {product}. Do not miss this {praise[4]} deal for you and the family."
    ]
    lines += [
        f"Customers of {rng.choice(w['towns'])} say: {praise[5]}. Subscribe to our offers and get {rng.randint(5, 60)} percent discount on the next sale. Click to buy the {product}."
    ]
    return WebPage("shop", f"Buy {product} cheap", lines)


def spam(rng: random.Random) -> WebPage:
    """Repeated keywords."""
    product = rng.choice(words()["products"])
    line = f"cheap {product} best {product} buy {product} online {product} sale"
    return WebPage("spam", f"{product} {product} {product}", [line] * rng.randint(6, 12))


def short(rng: random.Random) -> WebPage:
    """Nearly nothing."""
    return WebPage("short", "Untitled", [f"Page {rng.randint(1, 999)} is under construction."])


def foreign(rng: random.Random) -> WebPage:
    """Another language."""
    name = rng.choice(["german", "french", "spanish"])
    return WebPage(name, name, [" ".join(rng.sample(words()[name], 3)) for _ in range(5)])


def toxic(rng: random.Random) -> WebPage:
    """A comment section that nobody wants in a textbook."""
    w = words()
    page = forum(rng)
    insult = rng.choice(["You are all idiots.", "What a worthless moron.", "Pathetic losers."])
    return WebPage(
        "toxic", page.title, [*page.paragraphs, f"{rng.choice(w['people'])} wrote: {insult}"]
    )


def personal(rng: random.Random) -> WebPage:
    """Contact data: reserved domains, numbers and addresses, nobody's in fact."""
    page = news(rng)
    name = rng.choice(words()["people"]).lower().replace(" ", ".")
    contact = (
        f"Write to {name}@example.org or call +1 202 555 01{rng.randint(10, 99)} if you have "
        f"questions. The server at 192.0.2.{rng.randint(1, 254)} keeps the photos of the day."
    )
    return WebPage("personal", page.title, [*page.paragraphs, contact])


KINDS: tuple[tuple[Callable[[random.Random], WebPage], float], ...] = (
    (explainer, 0.36),
    (howto, 0.16),
    (recipe, 0.08),
    (news, 0.12),
    (forum, 0.10),
    (shop, 0.06),
    (spam, 0.02),
    (short, 0.02),
    (foreign, 0.04),
    (toxic, 0.02),
    (personal, 0.02),
)


def draw(rng: random.Random) -> WebPage:
    """A page of a drawn kind."""
    makers, weights = zip(*KINDS, strict=True)
    return rng.choices(makers, weights)[0](rng)


def html(page: WebPage, rng: random.Random, charset: str = "utf-8") -> bytes:
    """The page with what surrounds text on the web: navigation, cookie banner, footer."""
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in page.paragraphs)
    banner = (
        '<div class="cookie-banner"><p>We use cookies to improve our service. '
        "<button>Accept all cookies</button></p></div>"
        if rng.random() < 0.4
        else ""
    )
    links = "".join(
        f'<li><a href="/{n}">{n.title()}</a></li>' for n in ("home", "about", "contact")
    )
    text = (
        f'<!DOCTYPE html>\n<html><head><meta charset="{charset}"><title>{page.title}</title>'
        f"<script>var a = 1;</script></head>\n<body>{banner}<nav><ul>{links}</ul></nav>\n"
        f"<main><article><h1>{page.title}</h1>\n{body}\n</article></main>\n"
        f'<footer><p>Copyright of this site. <a href="/imprint">Imprint</a></p></footer></body></html>'
    )
    return text.encode(charset, "replace")
