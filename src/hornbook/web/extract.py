"""Main text of a page, and its language."""

import re

from hornbook.web.archives import Page
from hornbook.web.layout import plain_text
from hornbook.web.main_content import STRIPPED, main_element
from hornbook.web.nesting import is_too_deep

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANK = re.compile(r"\n{3,}")


def main_text(page: Page) -> str:
    """The main content as plain text, paragraphs on lines of their own.

    Raises:
        ValueError: The page is nested so deeply that it was not made to be read.
    """
    if page.html is None:
        return tidy(page.text or "")
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    from selectolax.lexbor import LexborHTMLParser

    if is_too_deep(page.html):
        raise ValueError("nested too deeply")
    encoding = detect_encoding(page.html) or page.charset or "utf-8"
    # lexbor reads UTF-8 itself, and replaces what is none
    is_utf8 = encoding == "utf-8" and not page.html.startswith(BYTE_ORDER_MARK)
    tree = LexborHTMLParser(page.html if is_utf8 else bytes_to_str(page.html, encoding))
    tree.strip_tags(STRIPPED)
    return tidy(plain_text(main_element(tree.body))) if tree.body is not None else ""


def tidy(text: str) -> str:
    """Lines without trailing space, at most one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
    return BLANK.sub("\n\n", lines).strip()


def language(text: str) -> tuple[str, int]:
    """Language code and rank (lower is surer), offline."""
    from resiliparse.parse.lang import detect_fast

    code, rank = detect_fast(text[:4000])
    return str(code), int(rank)
