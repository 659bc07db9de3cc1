"""The renderings of the tables: Markdown, LaTeX, HTML and CSV say the same."""

import csv
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from hornbook.artifacts import read_json
from hornbook.report.document import Grid, Heading, Items, Paragraph, Text
from hornbook.report.markup import html, latex, markdown

BLOCKS = [
    Heading("Benchmarks & co", 1),
    Paragraph("50 % of <b>all</b> a_b"),
    Grid("small", ["task", "a|b"], [[Text("x_1"), Text("0.5*", is_strong=True)]], "* above."),
    Items(["not run: {why}"]),
]


class Tags(HTMLParser):
    """Open tags, and whether each was closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        del attrs
        if tag != "meta":
            self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_what_a_markup_would_take_for_its_own_is_escaped():
    assert "| x_1 | **0.5\\*** |" in markdown(BLOCKS)
    assert "a\\|b" in markdown(BLOCKS)
    text = latex(BLOCKS)
    assert "x\\_1 & \\textbf{0.5*} \\\\" in text
    assert "50 \\% of \\textless{}b\\textgreater{}" in text
    assert "&lt;b&gt;all" in html(BLOCKS)
    assert "<strong>0.5*</strong>" in html(BLOCKS)


def test_html_is_well_formed_and_calls_nobody():
    page, tags = html(BLOCKS), Tags()
    tags.feed(page)
    assert not tags.open
    assert {"table", "caption", "thead", "th", "ul"} <= set(tags.seen)
    assert "http" not in page


def test_all_renderings_of_the_report_have_every_score(made):
    folder = made / "artifacts/report/tables"
    tables = read_json(folder / "tables.json")
    rows = list(csv.DictReader((folder / "tables.csv").open(encoding="utf-8")))
    ours = [row for row in rows if row["kind"] == "ours" and row["value"] and row["stage"]]
    assert all(row["hash"] for row in ours if row["stage"].startswith("evaluate"))
    for row in tables["micro"]:
        for variant, cell in row["cells"].items():
            found = [r for r in ours if (r["task"], r["model"]) == (row["task"], variant)]
            assert [float(r["value"]) for r in found] == [cell["value"]]
            shown = f"{cell['value']:.3f}"
            for name in ("tables.md", "tables.html", "tables.tex"):
                assert shown in (folder / name).read_text("utf-8")


def test_latex_compiles(made, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here")
    body = (made / "artifacts/report/tables/tables.tex").read_text("utf-8")
    head = "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,graphicx}"
    (tmp_path / "a.tex").write_text(f"{head}\\begin{{document}}{body}\\end{{document}}", "utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
