"""Depth of nesting before a parser sees the page."""

import pytest

from hornbook.web.nesting import DEEPEST, MOST_FORMATS, is_too_deep
from tests.web.test_pages import read

DIVS = b"<div>" * (DEEPEST + 1)
FORMATS = b"".join(b"<b x=%d>" % n for n in range(MOST_FORMATS))


@pytest.mark.parametrize(
    ("html", "deep"),
    [
        (DIVS + b"</div>" * DEEPEST, True),
        (b"<div>" * DEEPEST + b"</div>" * DEEPEST, False),
        (b"<div><p>a</p></div>" * 50_000, False),
        (b"<div><p>a</p><br></x>" * 5_000, True),
        (b"a<br>" * 100_000, False),
        (b"<img src=a /><input/><!x>" * 10_000, False),
        (b"<ul>" + b"<li>x" * 100_000, False),
        (b"<table>" + b"<tr><td><font size=1>x" * 10_000, False),
        (b"<svg>" + b"<path d='' />" * 10_000 + b"</svg>", False),
        (b"<script>'" + DIVS + b"'</script><p>a", False),
        (b"<!--" + DIVS + b"--><p>a", False),
        (b"<textarea>" + DIVS + b"</TEXTAREA><p>a", False),
        (b"<div><!--</div>-->" * 3_000, True),
        (b"<p><b>t" * 10_000, False),
        (FORMATS + b"text", False),
        (FORMATS + b"<i><u>" + b"<br>" * 20, True),
        (FORMATS + b"<p>text" * 2_000, True),
        (b"</div>" * 50_000 + DIVS.upper(), True),
        (b"<" * 100_000, False),
        (b"<a" * 100_000, False),
        (b"", False),
    ],
    ids=[
        "over", "at", "flat", "other ends", "breaks", "closed at once", "list", "cells", "drawing",
        "script", "comment", "field", "ends in comments", "equal formats", "formats",
        "too many formats", "formats made anew", "closed before", "signs", "no end", "empty",
    ],
)  # fmt: skip
def test_a_page_is_too_deep_from_more_open_tags_than_allowed_on(html: bytes, deep: bool) -> None:
    assert is_too_deep(html) == deep


@pytest.mark.parametrize(
    "name",
    ["web_scrapinghub_aeb/html.tar.zst", "web_readability/test-pages.tar.zst"],
)
def test_no_real_page_is_too_deep(shared, name) -> None:
    pages, _ = read(shared / name)
    assert len(pages) > 100
    assert not [page.source for page in pages if page.html and is_too_deep(page.html)]
