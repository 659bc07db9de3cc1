"""The element of a page that holds its main content: paragraphs vote for what encloses them.

In the line of Arc90's readability: a paragraph gives points to its ancestors, the best one is
widened as long as its surroundings hold much more good text, and what is boilerplate by its name
or by its links is cut out. One pass over a lexbor tree; no model, nothing learned.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# never a part of the text
STRIPPED = ["script", "style", "noscript", "nav", "aside", "footer", "iframe", "button", "select",
            "svg", "template", "figcaption", "object", "textarea", "label", "figure", "picture",
            "video", "audio"]  # fmt: skip
# how people name in class and id what is not content, and what is; in lower case, because a search
# that ignores case takes nearly four times as long
NOISE = re.compile(
    r"comment|(?<!\w)shar(?:e|ing)|social|related|recirc|promo|sidebar|newsletter|subscri|footer|"
    r"breadcrumb|advert|(?<![a-z])ads?(?![a-z])|sponsor|outbrain|taboola|byline|caption|credit|"
    r"toolbar|widget|cookie|popup|modal|recommend|popular|trending|read-?more|read-?also|sign-?up|"
    r"author|disqus|navigation|menu|copyright|disclaimer|(?<![a-z])meta|(?<![a-z])tags?(?![a-z])|"
    r"hidden|print-?only|visually|dateline|timestamp|rating|carousel|slideshow|gallery|teaser|"
    r"next-?article|more-?stories|-topics"
)
CONTENT = re.compile(
    r"article-?body|story-?body|entry-?content|post-?content|article-?content|main-?content|"
    r"body-?copy|content-?body|article__body|post-?body|story-content"
)
PARAGRAPHS, BARE = "p,pre,blockquote", "div,td,section,article,span,font,li,center"
WHOLE = {"article", "body", "main"}  # whatever they are called
# tuned on one half of the labelled pages of an article benchmark, reported on the other
SHORTEST = 25  # letters of a paragraph that votes
LINKED = 0.6  # share of link text from which a paragraph is navigation
LIST_LINKED = 0.6  # likewise of a list, table or section inside the content
FEW = 0.4  # share of the page's text below which paragraphs are looked for outside <p>
MAJOR = 0.7  # share of the paragraphs from which an element is no noise, whatever its name
NOISE_VOTE = 0.2
REACH = (1.0, 0.5, 0.25)  # votes for parent, grandparent, and the one above
WIDER = (
    1.25,
    1.35,
    1.45,
    1.55,
    1.65,
    1.75,
    1.85,
    1.95,
)  # gain in text that widens by one element, two, ..
DEEPEST = 64  # elements around a paragraph that are looked at: some pages nest without end
NESTED = 16  # times that the letters of a page are kept: quotes in quotes hold the same again
LOST = 0.65  # of the content at most may be cut out in one piece


class Paragraph(NamedTuple):
    """A voter."""

    text: str
    letters: int
    links: int  # letters of link text
    chain: list[int]  # ids of the elements around it, innermost first


class Votes:
    """Paragraphs of a page, and what encloses them."""

    def __init__(self, found: Iterable[tuple["LexborNode", str]]) -> None:
        self.nodes: dict[int, LexborNode] = {}
        self.mass: dict[int, int] = {}
        self.paragraphs: list[Paragraph] = []
        self._noise: dict[int, bool] = {}
        for node, text in found:
            links = sum(len(link.text()) for link in node.css("a"))
            if links > LINKED * len(text):
                continue
            start = node.parent if node.tag in PARAGRAPHS.split(",") else node
            one = Paragraph(text, len(text), links, list(self._ids(start)))
            self.paragraphs.append(one)
            for place in one.chain:
                self.mass[place] = self.mass.get(place, 0) + one.letters

    def _ids(self, node: "LexborNode | None") -> Iterator[int]:
        for _ in range(DEEPEST):
            if node is None or node.tag in {"html", "-undef"}:
                return
            self.nodes[node.mem_id] = node
            yield node.mem_id
            node = node.parent

    def is_noise(self, place: int, total: int) -> bool:
        """Whether an element is boilerplate by its name and does not hold most of the text."""
        if place not in self._noise:
            node = self.nodes[place]
            is_minor = node.tag not in WHOLE and self.mass[place] < MAJOR * total
            self._noise[place] = is_minor and is_named_noise(node)
        return self._noise[place]

    def winner(self) -> "tuple[LexborNode, float]":
        """The main element and the good text that it holds, in letters."""
        total = sum(one.letters for one in self.paragraphs)
        score: dict[int, float] = {}
        good: dict[int, float] = {}
        for text, letters, links, chain in self.paragraphs:
            share = NOISE_VOTE if any(self.is_noise(p, total) for p in chain) else 1.0
            vote = (1 + text.count(",") + min(letters / 100, 3)) * (1 - links / letters) * share
            for place in chain:
                good[place] = good.get(place, 0.0) + letters * share
            for place, reach in zip(chain, REACH, strict=False):
                score[place] = score.get(place, 0.0) + vote * reach
        best = self.nodes[max(score, key=lambda place: score[place])]
        return _widened(best, good)


def _widened(best: "LexborNode", good: dict[int, float]) -> "tuple[LexborNode, float]":
    """The element, or one around it that holds much more good text."""
    held = good[best.mem_id]
    wider: LexborNode | None = best
    while wider is not None:
        best, held = wider, good[wider.mem_id]
        wider = _wider(best, good, held)
    return best, held


def _wider(best: "LexborNode", good: dict[int, float], held: float) -> "LexborNode | None":
    """The nearest element around `best` whose gain is worth the way to it."""
    node = None if best.tag == "body" else best.parent
    for steps, gain in enumerate(WIDER):
        if node is None or (steps and node.tag == "body"):
            return None
        if good.get(node.mem_id, 0.0) > gain * held:
            return node
        node = node.parent
    return None


def is_named_noise(node: "LexborNode") -> bool:
    """Whether class or id say boilerplate."""
    named = node.attributes
    names = f"{named.get('class') or ''} {named.get('id') or ''}".lower()
    return bool(NOISE.search(names)) and not CONTENT.search(names)


def main_element(body: "LexborNode") -> "LexborNode":
    """The main content of a parsed body, cut clean; the body itself where nothing stands out."""
    if forms := body.css("form"):  # some pages stand in a form as a whole
        most = (1 - MAJOR) * len(body.text())
        for form in forms:
            if len(form.text()) < most:
                form.decompose()
    whole = len(body.text(strip=True))
    found = list(_up_to(NESTED * whole, _texts(body, PARAGRAPHS, is_deep=True)))
    if sum(len(text) for _, text in found) < FEW * whole:
        found += _texts(body, BARE, is_deep=False)
    votes = Votes(found)
    if not votes.paragraphs:
        return body
    best, held = votes.winner()
    _clean(best, held)
    return best


def _texts(
    body: "LexborNode", selector: str, *, is_deep: bool
) -> Iterator[tuple["LexborNode", str]]:
    for node in body.css(selector):
        text = node.text(deep=is_deep).strip()
        if len(text) >= SHORTEST:
            yield node, text


def _up_to(
    most: int, found: Iterator[tuple["LexborNode", str]]
) -> Iterator[tuple["LexborNode", str]]:
    """The first of them, until they hold more letters than allowed."""
    for node, text in found:
        yield node, text
        most -= len(text)
        if most < 0:
            return


def _clean(best: "LexborNode", held: float) -> None:
    """Cut out what is boilerplate by name, lists of links, and the headline."""
    most = LOST * held
    for node in best.css("[class],[id]"):
        is_other = node.mem_id != best.mem_id
        if is_other and is_named_noise(node) and len(node.text()) < most:
            node.decompose()
    for node in best.css("ul,ol,table,div,section,p,h2,h3,h4"):
        links = sum(len(link.text(strip=True)) for link in node.css("a"))
        letters = len(node.text(strip=True)) if links else 0
        if LIST_LINKED * letters < links and letters < most:
            node.decompose()
    for node in best.css("h1,header"):
        if len(node.text()) < most:
            node.decompose()
