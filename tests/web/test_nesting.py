"""Depth of nesting before a parser sees the page."""

import pytest

from hornbook.web.nesting import DEEPEST, is_too_deep


@pytest.mark.parametrize(
    ("html", "deep"),
    [
        (b"<div>" * (DEEPEST + 1) + b"</div>" * DEEPEST, True),
        (b"<div>" * DEEPEST + b"</div>" * DEEPEST, False),
        (b"<div><p>a</p></div>" * 50_000, False),
        (b"a<br>" * 100_000, False),
        (b"<ul>" + b"<li>x" * 100_000, False),
        (b"</div>" * 50_000 + b"<DIV>" * (DEEPEST + 1), True),
        (b"<" * 100_000, False),
    ],
    ids=["over", "at", "flat", "breaks", "list", "closed before", "signs"],
)
def test_a_page_is_too_deep_from_more_open_tags_than_allowed_on(html, deep):
    assert is_too_deep(html) == deep
