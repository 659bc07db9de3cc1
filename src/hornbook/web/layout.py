"""An element as plain text: paragraphs on lines of their own, code as it stands, list marks."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

BLOCKS = {"address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt",
          "fieldset", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
          "ol", "p", "pre", "section", "summary", "table", "tbody", "thead", "tfoot", "tr",
          "ul"}  # fmt: skip
CELLS = {"td", "th"}
BETWEEN_CELLS = " | "
DEEPEST = 128  # elements around a text that are looked at: some pages nest without end
SPACE = re.compile(r"\s+")


def plain_text(element: "LexborNode") -> str:
    """The text of an element; runs of white space are one space outside <pre>."""
    pieces: list[str] = []
    last_block = last_cell = 0
    for node in element.traverse(include_text=True):
        tag = node.tag
        if tag == "br":
            pieces.append("\n")
        elif tag == "-text":
            text = node.text_content or ""
            if not text.strip():
                pieces.append(" ")
                continue
            block, cell, is_pre = _around(node, element)
            if block.mem_id != last_block:
                pieces.append("\n- " if block.tag == "li" else "\n")
                last_block = block.mem_id
            elif cell not in {0, last_cell}:
                pieces.append(BETWEEN_CELLS)
            last_cell = cell
            pieces.append(text if is_pre else SPACE.sub(" ", text))
    lines = (line.rstrip() if line[:1].isspace() and line.strip() else line.strip()
             for line in "".join(pieces).split("\n"))  # fmt: skip
    return "\n".join(lines)


def _around(node: "LexborNode", element: "LexborNode") -> "tuple[LexborNode, int, bool]":
    """The block that a text stands in, the id of its table cell or 0, and whether it is code."""
    cell, is_pre, top = 0, False, element.mem_id
    parent, left = node.parent, DEEPEST
    while left and parent is not None and parent.mem_id != top and parent.tag not in BLOCKS:
        if parent.tag in CELLS:
            cell = parent.mem_id
        parent, left = parent.parent, left - 1
    block = parent if left and parent is not None else element
    if block.tag == "pre":
        is_pre = True
    return block, cell, is_pre
