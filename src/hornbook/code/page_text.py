"""The HTML of a post as text: paragraphs, lists, quotes, and code in fences."""

import html
import re

TOKEN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL)
SPACE = re.compile(r"\s+")
BLANK_LINES = re.compile(r"\n{3,}")
BLOCKS = {
    "p",
    "div",
    "ul",
    "ol",
    "table",
    "tr",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "dl",
    "dd",
    "dt",
    "li",
}
SILENT = {"script", "style", "iframe", "object"}
LOOKS_LIKE_HTML = re.compile(r"</(?:p|pre|code|li|blockquote|h[1-6]|a)>|<p>", re.IGNORECASE)
LANGUAGE = re.compile(r"lang-([a-z0-9]+)")
DEEPEST = 4  # levels of lists and quotes that are shown


class Page:
    """What was read so far, and inside of what."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.line: list[str] = []
        self.code: list[str] | None = None
        self.silent = 0
        self.quotes = 0
        self.lists: list[int | None] = []  # of each the next number; None has none
        self.mark = ""
        self.language = ""

    def say(self, text: str) -> None:
        """Text of the page."""
        if self.silent:
            return
        if self.code is not None:
            self.code.append(text)
        else:
            self.line.append(text)

    def end_block(self) -> None:
        """A paragraph, list item or heading ends here."""
        text = "\n".join(SPACE.sub(" ", part).strip() for part in "".join(self.line).split("\v"))
        self.line = []
        if not text.strip():
            return
        self._add(f"{self.mark}{text.strip()}")
        self.mark = " " * len(self.mark) if self.lists else ""

    def end_code(self) -> None:
        """A block of code ends here."""
        body = "".join(self.code or ()).strip("\n").expandtabs(4).rstrip()
        self.code = None
        if body.strip():
            fence = "````" if "```" in body else "```"
            if self.mark.strip():
                self._add(self.mark.rstrip())
                self.mark = " " * len(self.mark)
            self._add(f"{fence}{self.language}\n{body}\n{fence}")

    def _add(self, text: str) -> None:
        lead = "> " * min(self.quotes, DEEPEST) + "  " * (min(len(self.lists), DEEPEST) - 1)
        if lead:
            text = "\n".join(f"{lead}{line}".rstrip() for line in text.split("\n"))
        self.blocks.append(text)

    def text(self) -> str:
        """All of it."""
        if self.code is not None:
            self.end_code()
        self.end_block()
        return _joined(self.blocks)


def _joined(blocks: list[str]) -> str:
    """Blocks with a blank line between, items of one list without."""
    parts: list[str] = []
    for at, block in enumerate(blocks):
        if at:
            is_item = all(ITEM.match(one) for one in (blocks[at - 1], block))
            parts.append("\n" if is_item else "\n\n")
        parts.append(block)
    return "".join(parts)


ITEM = re.compile(r"(?:> )*\s*(?:- |\d+\. )")


def text_of(body: str) -> str:
    """The text of an HTML body; a body without the tags of one is taken to be Markdown."""
    if not LOOKS_LIKE_HTML.search(body):
        return BLANK_LINES.sub("\n\n", body).strip()
    page, at, body = Page(), 0, _without_comments(body)
    for match in TOKEN.finditer(body):
        page.say(html.unescape(body[at : match.start()]))
        at = match.end()
        _tag(page, match[2].lower(), is_end=bool(match[1]), attributes=match[3])
    page.say(html.unescape(body[at:]))
    return page.text()


def _without_comments(body: str) -> str:
    # by splitting: a regular expression looks for the end of each again and again
    first, *rest = body.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


def _tag(page: Page, name: str, *, is_end: bool, attributes: str) -> None:
    if name in SILENT:
        page.silent = max(0, page.silent + (-1 if is_end else 1))
    elif page.code is not None:
        if name == "pre" and is_end:
            page.end_code()
        elif name == "br":
            page.say("\n")
        elif name == "code" and not page.language:
            page.language = _language(attributes)
    elif name == "pre" and not is_end:
        page.end_block()
        page.code, page.language = [], _language(attributes)
    elif name == "code":
        page.say("`")
    elif name == "br":
        page.say("\v")
    elif name in BLOCKS:
        page.end_block()
        _block(page, name, is_end=is_end)


def _language(attributes: str) -> str:
    found = LANGUAGE.search(attributes)
    return {"py": "python"}.get(found[1], found[1]) if found else ""


def _block(page: Page, name: str, *, is_end: bool) -> None:
    if name in {"ul", "ol"}:
        if not is_end:
            page.lists.append(1 if name == "ol" else None)
        elif page.lists:
            page.lists.pop()
        page.mark = ""
    elif name == "li" and page.lists:
        number = page.lists[-1]
        page.mark = "" if is_end else "- " if number is None else f"{number}. "
        if not is_end and number is not None:
            page.lists[-1] = number + 1
    elif name == "blockquote":
        page.quotes = max(0, page.quotes + (-1 if is_end else 1))
    elif name[0] == "h" and name != "hr" and not page.lists:
        page.mark = "" if is_end else "### "
