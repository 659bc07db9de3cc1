"""Depth of nesting before a parser sees the page."""

from math import isqrt

import pytest

from hornbook.web.nesting import DEEPEST, FEWEST_DEEP, MOST_STEPS, OpenTags, is_too_deep
from tests.web.test_pages import read

# the first of these counts takes more steps than are allowed, the second just as many
TOO_MANY = DEEPEST + 1 + isqrt(2 * MOST_STEPS)
ALLOWED = DEEPEST - 1 + isqrt(2 * MOST_STEPS)
DIVS = b"<div>" * TOO_MANY
FORMATS = b"".join(b"<b x=%d>" % n for n in range(500))


@pytest.mark.parametrize(
    ("html", "deep"),
    [
        (DIVS + b"</div>" * TOO_MANY, True),
        (b"<div>" * ALLOWED + b"</div>" * ALLOWED, False),
        (b"<div>" * 2_000 + b"<i>x</i>" * (MOST_STEPS // 1_000), True),
        (b"<div>" * DEEPEST + b"<i>x</i>" * 100_000, False),
        (b"<div><p>a</p></div>" * 50_000, False),
        (b"<div><p>a</p><br></x>" * TOO_MANY, True),
        (b"a<br>" * 100_000, False),
        (b"<img src=a /><input/><!x>" * 10_000, False),
        (b"<ul>" + b"<li>x" * 100_000, False),
        (b"<table>" + b"<tr><td><font size=1>x" * 10_000, False),
        (b"<svg>" + b"<path d='' />" * 10_000 + b"</svg>", False),
        (b"<script>'" + DIVS + b"'</script><p>a", False),
        (b"<!--" + DIVS + b"--><p>a", False),
        (b"<textarea>" + DIVS + b"</TEXTAREA><p>a", False),
        (b"<div><!--</div>-->" * TOO_MANY, True),
        (b"<p><b>t" * 10_000, False),
        (FORMATS + b"<br>" * 999, False),
        (FORMATS + b"<br>" * 1_001, True),
        (FORMATS + b"<!--</b>--><p>text" * 2_000, True),
        (b"<p><b x=1>t</b>" * 2_000, False),
        (b"</div>" * 50_000 + DIVS.upper(), True),
        (b"<" * 100_000, False),
        (b"<a" * 100_000, False),
        (b"", False),
    ],
    ids=[
        "over", "at", "many in deep ones", "many at the depth of browsers", "flat", "other ends",
        "breaks", "closed at once", "list", "cells", "drawing", "script", "comment", "field",
        "ends in comments", "equal formats", "formats", "formats made anew",
        "formats and ends in comments", "closed formats", "closed before", "signs", "no end",
        "empty",
    ],
)  # fmt: skip
def test_a_page_is_too_deep_when_its_tags_stand_in_too_many_others(html: bytes, deep: bool) -> None:
    assert is_too_deep(html) == deep


@pytest.mark.parametrize("tags", [b"<div>", b"<ul><li>", b"<div></x>", b"<b x=1><div>"])
def test_what_is_not_looked_at_closely_cannot_take_long(tags: bytes) -> None:
    html = tags * (FEWEST_DEEP // tags.count(b"<") - 1)
    assert not OpenTags().is_too_deep(html)


@pytest.mark.parametrize(
    "name",
    ["web_scrapinghub_aeb/html.tar.zst", "web_readability/test-pages.tar.zst"],
)
def test_no_real_page_is_too_deep(shared, name) -> None:
    pages, _ = read(shared / name)
    assert len(pages) > 100
    assert not [page.source for page in pages if page.html and is_too_deep(page.html)]
