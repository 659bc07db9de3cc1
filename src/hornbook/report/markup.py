"""A document as Markdown (Dagster), LaTeX (a paper) and HTML (a page of its own)."""

import re
from collections.abc import Callable, Sequence

from hornbook.plain import markup as escaped
from hornbook.plain import one_line, visible
from hornbook.report.document import Block, Grid, Heading, Items, Paragraph, Text

PREAMBLE = r"""% \input this file; it needs \usepackage{booktabs,graphicx}
"""
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
}  # fmt: skip
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0; }
td, th { padding: .15rem .6rem; text-align: right; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
thead th { border-bottom: 1px solid; }
"""


def markdown(blocks: Sequence[Block]) -> str:
    """As GitHub and Dagster show it."""
    return "\n".join(_markdown(block) for block in blocks)


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {plain_markdown(block.text)}\n"
    if isinstance(block, Paragraph):
        return f"{plain_markdown(block.text)}\n"
    if isinstance(block, Items):
        return "\n".join(f"- {plain_markdown(text)}" for text in block.texts) + "\n"
    ruler = ["---", *["---:"] * (len(block.header) - 1)]
    lines = [_line(block.header), _line(ruler)]
    lines += [_line([_of_markdown(cell) for cell in row]) for row in block.rows]
    caption = f"{block.caption}\n\n".replace("*", "\\*") if block.caption else ""
    return caption + "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(plain_markdown(one).replace("|", "\\|") for one in cells) + " |"


def plain_markdown(text: str) -> str:
    """Text on one line in which no reader of Markdown finds an element of HTML."""
    return _TAG.sub("&lt;", one_line(text))


def _of_markdown(cell: Text) -> str:
    text = cell.text.replace("*", "\\*")
    return f"**{text}**" if cell.is_strong else text


def latex(blocks: Sequence[Block]) -> str:
    """Sections and tables (booktabs) for a paper to take in."""
    return PREAMBLE + "\n".join(_latex(block) for block in blocks)


def _latex(block: Block) -> str:
    if isinstance(block, Heading):
        return f"\\{'section' if block.level == 1 else 'subsection'}*{{{tex(block.text)}}}\n"
    if isinstance(block, Paragraph):
        return tex(block.text) + "\n"
    if isinstance(block, Items):
        items = "\n".join(f"\\item {tex(text)}" for text in block.texts)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n"
    return _latex_table(block)


def _latex_table(grid: Grid) -> str:
    rows = [_latex_row([tex(cell) for cell in grid.header]), "\\midrule"]
    rows += [_latex_row([_of_latex(cell) for cell in row]) for row in grid.rows]
    caption = [f"\\caption{{{tex(grid.caption)}}}"] if grid.caption else []
    columns = "l" + "r" * (len(grid.header) - 1)
    lines = [
        "\\begin{table}[htbp]",
        "\\centering",
        *caption,
        f"\\label{{tab:{grid.name}}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        *rows,
        "\\bottomrule",
        "\\end{tabular}}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _of_latex(cell: Text) -> str:
    return f"\\textbf{{{tex(cell.text)}}}" if cell.is_strong else tex(cell.text)


def tex(text: str) -> str:
    """Text with what LaTeX would take for a command escaped."""
    return "".join(LATEX.get(letter, letter) for letter in visible(text))


def html(blocks: Sequence[Block]) -> str:
    """A page of its own, light and dark, that asks nothing of a network."""
    title = next((one.text for one in blocks if isinstance(one, Heading)), "")
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escaped(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escaped(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{escaped(block.text)}</p>"
    if isinstance(block, Items):
        return f"<ul>{''.join(f'<li>{escaped(text)}</li>' for text in block.texts)}</ul>"
    return _html_table(block)


def _html_table(grid: Grid) -> str:
    head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in grid.header)
    rows = "\n".join(_html_row(row) for row in grid.rows)
    caption = f"<caption>{escaped(grid.caption)}</caption>" if grid.caption else ""
    return (
        f'<div tabindex="0"><table id="{grid.name}">{caption}\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _html_row(row: Sequence[Text]) -> str:
    first, *rest = row
    cells = "".join(f"<td>{_of_html(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{_of_html(first)}</th>{cells}</tr>'


def _of_html(cell: Text) -> str:
    return f"<strong>{escaped(cell.text)}</strong>" if cell.is_strong else escaped(cell.text)


# by the ending of the file's name
RENDERINGS: dict[str, Callable[[Sequence[Block]], str]] = {
    "md": markdown,
    "tex": latex,
    "html": html,
}
