"""The tables as a document of headings, paragraphs and grids, which every rendering writes out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hornbook.report.assemble import names_of, reasons
from hornbook.report.perplexity import cell_text, row_name
from hornbook.report.wording import (
    ABSENT,
    PLUS_MINUS,
    clean_text,
    fraction,
    model_text,
    our_text,
    overlap_text,
    p_text,
    paper_text,
    signed,
    task_name,
)

Table = Mapping[str, Any]


class Text(NamedTuple):
    """What stands in a cell; `is_strong` where it differs from all others it is compared with."""

    text: str
    is_strong: bool = False


class Heading(NamedTuple):
    """The title of a section; level 1 is that of the document."""

    text: str
    level: int = 2


class Paragraph(NamedTuple):
    """Running text."""

    text: str


class Items(NamedTuple):
    """A list."""

    texts: Sequence[str]


class Grid(NamedTuple):
    """A table: the first column left, the others right."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[Text]]
    caption: str = ""


Block = Heading | Paragraph | Items | Grid


def document(tables: Mapping[str, Any]) -> list[Block]:
    """All tables, each with its caption, source and notes."""
    notes = tables["notes"]
    blocks: list[Block] = [Heading("Benchmarks", 1)]
    for name, table in tables["tables"].items():
        blocks.append(Heading(f"Table {name.removeprefix('table')}: {table['title']}"))
        blocks.append(_paper_table(name, table))
        if table["unit"] == "mixed":
            blocks.append(Paragraph(notes["compute"]))
    blocks += [
        Paragraph(notes[key]) for key in ("tables", "clean", "compared", "seeds") if key in notes
    ]
    if tables["compared"]:
        blocks.append(Items([model_text(one) for one in tables["compared"]]))
    blocks += [Heading("Micro-suites"), Paragraph(notes["micro"])]
    names = names_of(tables)
    variants = names[: len(tables["variants"])]
    blocks.append(_tasks("micro", tables["micro"], names))
    if tables["further"]:
        blocks += [Heading("Further tasks"), _tasks("further", tables["further"], names)]
    if tables["perplexity"]:
        blocks += [Heading("Perplexity on held-out text"), Paragraph(notes["perplexity"])]
        blocks.append(_perplexity(tables["perplexity"], variants))
    if tables["differences"]:
        blocks += [Heading("Differences between variants"), Paragraph(notes["differences"])]
        blocks.append(_differences(tables["differences"]))
    if "by_seed" in tables:
        blocks += [Heading("By seed"), _by_seed(tables["by_seed"])]
    if why := reasons(tables):
        blocks += [Heading("Not run"), Items(why)]
    return blocks


def _plain(texts: Sequence[str]) -> list[Text]:
    return [Text(text) for text in texts]


def _paper_table(name: str, table: Table) -> Grid:
    columns, unit = table["columns"], table["unit"]
    rows: list[list[Text]] = []
    for row in table["rows"]:
        cells = [row["cells"][column["key"]] for column in columns]
        if row["kind"] == "paper":
            rows.append(_plain([row["label"], *(paper_text(cell, unit) for cell in cells)]))
            continue
        ours = [Text(our_text(cell, unit), bool(cell.get("best"))) for cell in cells]
        rows.append([Text(f"{row['label']} ({row['kind']})"), *ours])
        if row["kind"] == "ours" and unit != "mixed":
            texts = [clean_text(cell, unit) for cell in cells]
            rows.append(_plain([f"{row['label']} (ours, clean items)", *texts]))
    header = ["model", *(column["label"] for column in columns)]
    return Grid(name, header, rows, f"{table['caption']} ({table['source']}).")


def _tasks(name: str, rows: Sequence[Table], variants: Sequence[str]) -> Grid:
    header = ["task", "metric", "items", "clusters"]
    for variant in variants:
        header += [variant, "floor", "overlap", "clean items"]
    lines: list[list[Text]] = []
    for row in rows:
        first = next(iter(row["cells"].values()))
        counts = [ABSENT if first[key] is None else f"{first[key]:,}" for key in header[2:4]]
        line = _plain([task_name(row["task"]), row["metric"], *counts])
        for variant in variants:
            cell = row["cells"].get(variant)
            line += _task_cell(cell) if cell else _plain([ABSENT] * 4)
        lines.append(line)
    return Grid(name, header, lines, "* above its floor.")


def _task_cell(cell: Table) -> list[Text]:
    shown = our_text(cell, "fraction") + ("*" if cell["signal"] else "")
    rest = [fraction(cell["floor"]), overlap_text(cell), clean_text(cell, "fraction")]
    return [Text(shown, bool(cell["best"])), *_plain(rest)]


def _perplexity(rows: Sequence[Table], variants: Sequence[str]) -> Grid:
    lines = [
        _plain(
            [
                row_name(row),
                f"{row['tokens']:,}",
                f"{row['documents']:,}",
                *(cell_text(row["cells"].get(variant)) for variant in variants),
            ]
        )
        for row in rows
    ]
    return Grid("perplexity", ["text", "tokens", "documents", *variants], lines)


def _differences(rows: Sequence[Table]) -> Grid:
    header = ["task", "variant", "minus", "difference", "95 % interval", "p", "corrected",
              "items", "clusters", "test"]  # fmt: skip
    lines: list[list[Text]] = []
    for row in rows:
        line = _plain([f"{task_name(row['task'])} {row['metric']}", row["variant"], row["other"]])
        line.append(Text(signed(row["difference"]), row["differs"]))
        bounds = (row["low"], row["high"])
        between = ABSENT if None in bounds else " to ".join(signed(one) for one in bounds)
        counts = (f"{row['items']:,}", f"{row['clusters']:,}")
        tested = (p_text(row["p"]), p_text(row["p_corrected"]))
        lines.append([*line, *_plain([between, *tested, *counts, row["test"]])])
    return Grid("differences", header, lines)


def _by_seed(rows: Sequence[Table]) -> Grid:
    seeds = [one["seed"] for one in rows[0]["seeds"]] if rows else []
    header = ["task", "metric", "variant", *(f"seed {seed}" for seed in seeds)]
    lines = [
        _plain(
            [
                task_name(row["task"]),
                row["metric"],
                row["variant"],
                *(f"{one['value']:.3f}" for one in row["seeds"]),
                f"{PLUS_MINUS} {row['seeds_stderr']:.3f}",
                ABSENT if row["stderr"] is None else f"{PLUS_MINUS} {row['stderr']:.3f}",
            ]
        )
        for row in rows
    ]
    return Grid("by_seed", [*header, "between seeds", "in all"], lines)
