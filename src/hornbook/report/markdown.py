"""The tables as Markdown, as Dagster shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from hornbook.report.assemble import reasons
from hornbook.report.wording import (
    ABSENT,
    PLUS_MINUS,
    clean_text,
    fraction,
    our_text,
    overlap_text,
    paper_text,
    task_name,
)


def markdown(tables: Mapping[str, Any]) -> str:
    """All tables, each with its caption, source and notes."""
    parts = ["# Benchmarks\n"]
    for name, table in tables["tables"].items():
        parts.append(f"## Table {name.removeprefix('table')}: {table['title']}\n")
        parts.append(f"{table['caption']} ({table['source']}).\n")
        parts.append(_paper_table(table))
        if table["unit"] == "mixed":
            parts.append(tables["notes"]["compute"] + "\n")
    parts += [
        tables["notes"]["tables"] + "\n",
        tables["notes"]["clean"] + "\n",
        *(tables["notes"][name] + "\n" for name in ("seeds",) if name in tables["notes"]),
        "## Micro-suites\n",
        tables["notes"]["micro"] + "\n",
    ]
    names = [row["variant"] for row in tables["variants"]]
    parts.append(_tasks(tables["micro"], names))
    if tables["further"]:
        parts += ["## Further tasks\n", _tasks(tables["further"], names)]
    if "by_seed" in tables:
        parts += ["## By seed\n", _by_seed(tables["by_seed"])]
    why = reasons(tables)
    if why:
        parts += ["## Not run\n", "\n".join(f"- {reason}" for reason in why) + "\n"]
    return "\n".join(parts)


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, first column left, others right."""
    lines = [_line(header), _line(["---", *["---:"] * (len(header) - 1)])]
    return "\n".join([*lines, *(_line(row) for row in rows)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _paper_table(table: Mapping[str, Any]) -> str:
    columns, unit = table["columns"], table["unit"]
    rows: list[list[str]] = []
    for row in table["rows"]:
        is_ours = row["kind"] == "ours"
        write = our_text if is_ours else paper_text
        texts = [write(row["cells"][column["key"]], unit) for column in columns]
        label = f"**{row['label']} (ours)**" if is_ours else row["label"]
        rows.append([label, *texts])
        if is_ours and unit != "mixed":
            texts = [clean_text(row["cells"][column["key"]], unit) for column in columns]
            rows.append([f"{row['label']} (ours, clean items)", *texts])
    return grid(["model", *(column["label"] for column in columns)], rows)


def _tasks(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    header = ["task", "metric", "items", "clusters"]
    for variant in variants:
        header += [variant, "floor", "overlap", "clean items"]
    lines: list[list[str]] = []
    for row in rows:
        any_cell = next(iter(row["cells"].values()))
        line = [
            task_name(row["task"]),
            row["metric"],
            _count(any_cell, "items"),
            _count(any_cell, "clusters"),
        ]
        for variant in variants:
            cell = row["cells"].get(variant)
            line += _task_cell(cell) if cell else [ABSENT] * 4
        lines.append(line)
    return grid(header, lines)


def _task_cell(cell: Mapping[str, Any]) -> list[str]:
    shown = our_text(cell, "fraction")
    marked = f"**{shown}**" if cell["signal"] else shown
    return [marked, fraction(cell["floor"]), overlap_text(cell), clean_text(cell, "fraction")]


def _by_seed(rows: Sequence[Mapping[str, Any]]) -> str:
    seeds = [one["seed"] for one in rows[0]["seeds"]] if rows else []
    header = ["task", "metric", "variant", *(f"seed {seed}" for seed in seeds)]
    lines = [
        [
            task_name(row["task"]),
            row["metric"],
            row["variant"],
            *(f"{one['value']:.3f}" for one in row["seeds"]),
            f"{PLUS_MINUS} {row['seeds_stderr']:.3f}",
            ABSENT if row["stderr"] is None else f"{PLUS_MINUS} {row['stderr']:.3f}",
        ]
        for row in rows
    ]
    return grid([*header, "between seeds", "in all"], lines)


def _count(cell: Mapping[str, Any], key: str) -> str:
    return ABSENT if cell[key] is None else f"{cell[key]:,}"
