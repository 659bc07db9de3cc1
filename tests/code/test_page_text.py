"""The HTML of posts as text."""

import time

import pytest

from hornbook.code.page_text import text_of


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>One.</p>\n\n<p>Two\nlines.</p>", "One.\n\nTwo lines."),
        ("<p>Use <code>a &lt; b</code> here &amp; there.</p>", "Use `a < b` here & there."),
        ("<pre><code>if a:\n    b()\n</code></pre>", "```\nif a:\n    b()\n```"),
        (
            '<pre class="lang-py prettyprint-override"><code>x = 1\n</code></pre>',
            "```python\nx = 1\n```",
        ),
        ("<pre><code>&gt;&gt;&gt; x\n\n\ny\n</code></pre>", "```\n>>> x\n\n\ny\n```"),
        ("<pre><code>a ``` b</code></pre>", "````\na ``` b\n````"),
        (
            "<ul>\n<li>one</li>\n<li>two <b>bold</b></li>\n</ul><p>end</p>",
            "- one\n- two bold\n\nend",
        ),
        ("<ol><li>one</li><li><p>two</p><p>more</p></li></ol>", "1. one\n2. two\n\n   more"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<blockquote><p>said</p></blockquote><p>x</p>", "> said\n\nx"),
        ("<h2>Head</h2><p>x<br>y</p>", "### Head\n\nx\ny"),
        ('<p>See <a href="http://a.example/">this</a><img src="x.png">.</p>', "See this."),
        ("<p>a</p><script>alert(1)</script><p>b</p>", "a\n\nb"),
        ("<p>a<!-- hidden <p>no</p> -->b</p>", "ab"),
        ("<p>never closed <b>bold", "never closed bold"),
        ("<p>1 < 2 and 3 > 2</p>", "1 < 2 and 3 > 2"),
        ("Plain *Markdown*\n\n\n\n    code < here", "Plain *Markdown*\n\n    code < here"),
        ("<p></p>", ""),
    ],
)
def test_a_body_becomes_text_with_its_code(body, text):
    assert text_of(body) == text


@pytest.mark.parametrize(
    "piece", ["<ul><li>", "<blockquote>", "<p>", "<!--", "<a ", '<a "', "</p>", "&", "<pre>", "<"]
)
def test_no_markup_makes_it_slow_or_deep(piece):
    started = time.process_time()
    text_of("<p>x</p>" + piece * (400_000 // len(piece)))
    assert time.process_time() - started < 5
