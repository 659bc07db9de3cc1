"""Pages as HTML, with what surrounds text on the web: navigation, banners, sidebars, footers."""

import random
from collections.abc import Callable
from typing import NamedTuple

from hornbook.sample.grammar import Writer, bank
from hornbook.sample.pages import WebPage


class Frame(NamedTuple):
    """The boilerplate of one page, as HTML."""

    banner: str
    menu: str
    aside: str
    footer: str


def html(page: WebPage, rng: random.Random, *, charset: str = "utf-8") -> str:
    """The page in one of five layouts; `charset` is what its head declares."""
    writer = Writer(rng, bank(), {})
    body = rng.choice(LAYOUTS)(page, frame(writer))
    style = f"<style>p {{ margin: {rng.randint(4, 20)}px }}</style>"
    script = f"<script>var visits = {rng.randint(1, 9999)};</script>"
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="{charset}">\n'
        f"<title>{page.title}</title>{style}{script}</head>\n<body>{body}</body></html>\n"
    )


def frame(writer: Writer) -> Frame:
    """Boilerplate; two pages in five ask about cookies."""
    rng, draw = writer.rng, writer.draw
    names = [draw("menu") for _ in range(rng.randint(3, 7))]
    links = "".join(f'<li><a href="/{name.lower()}">{name}</a></li>' for name in names)
    asked = f"<p>{writer.prose('$cookie')}</p><button>{draw('accept')}</button>"
    banner = f'<div class="cookie-banner" id="consent">{asked}</div>' if rng.random() < 0.4 else ""
    teasers = "".join(f'<li><a href="#">{draw("aside")}</a></li>' for _ in range(3))
    return Frame(banner, f"<ul>{links}</ul>", f"<ul>{teasers}</ul>", writer.prose("$footer"))


def block(page: WebPage) -> str:
    """Title and paragraphs."""
    text = "\n".join(f"<p>{paragraph}</p>" for paragraph in page.paragraphs)
    return f"<h1>{page.title}</h1>\n{text}"


def article(page: WebPage, frame: Frame) -> str:
    """The tags of today."""
    return (
        f"{frame.banner}<header><nav>{frame.menu}</nav></header>\n<main><article>{block(page)}\n"
        f"</article></main><aside>{frame.aside}</aside><footer><p>{frame.footer}</p></footer>"
    )


def blog(page: WebPage, frame: Frame) -> str:
    """Boxes that say what they are by their class."""
    return (
        f'<div id="header"><div class="nav menu">{frame.menu}</div></div>{frame.banner}\n'
        f'<div id="content" class="post-content">{block(page)}</div>\n'
        f'<div class="sidebar">{frame.aside}</div><div id="footer">{frame.footer}</div>'
    )


def table(page: WebPage, frame: Frame) -> str:
    """A table as layout, as in the year 2000."""
    return (
        f'<table width="100%"><tr><td class="menu" valign="top">{frame.menu}</td>\n'
        f"<td>{block(page)}</td></tr>\n"
        f'<tr><td colspan="2" class="footer"><font size="1">{frame.footer}</font></td></tr></table>'
    )


def posts(page: WebPage, frame: Frame) -> str:
    """Each paragraph in a box of its own, as forums have it."""
    boxes = "\n".join(f'<div class="post"><p>{text}</p></div>' for text in page.paragraphs)
    return (
        f"<nav>{frame.menu}</nav>{frame.banner}<main><h1>{page.title}</h1>\n{boxes}</main>\n"
        f"<footer>{frame.footer}</footer>"
    )


def bare(page: WebPage, frame: Frame) -> str:
    """No more than the text, with breaks for paragraphs and one tag never closed."""
    text = "<br><br>\n".join(page.paragraphs)
    return f"<h2>{page.title}</h2>\n<div><b>{text}\n</div><hr><small>{frame.footer}</small>"


LAYOUTS: tuple[Callable[[WebPage, Frame], str], ...] = (article, article, blog, table, posts, bare)
