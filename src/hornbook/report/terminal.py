"""The benchmark table for people at a terminal: `hornbook table`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from hornbook.artifacts import read_json
from hornbook.composed import uncomposed
from hornbook.errors import ArtifactError
from hornbook.lineage.adopt import adopted, as_line
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.status import status
from hornbook.plain import tell
from hornbook.report.assemble import names_of, reasons
from hornbook.report.measured import (
    TRAINING,
    WRITING,
    Measured,
    how_measured,
    measured_here,
    with_inference,
)
from hornbook.report.perplexity import cell_text, row_name
from hornbook.report.safety import auc_text, score_text
from hornbook.report.wording import (
    ABSENT,
    NOT_RUN,
    PLUS_MINUS,
    amount,
    clean_text,
    fraction,
    our_text,
    overlap_text,
    p_text,
    paper_text,
    short,
    signed,
    task_name,
)

WIDTH = 100
TABLES = "benchmark_tables"
_KEYS = ("variants", "tables", "micro", "further", "notes", "differences", "perplexity", "compared")


def render(tables: Mapping[str, Any], measured: Measured | None = None) -> str:
    """Tables 1 to 4 and the micro-suites for all our rows, as text of fixed width.

    `measured` is what this machine measured, by stage; without it there is no Table 1.
    """
    variants = [row["variant"] for row in tables["variants"]]
    parts: list[str] = []
    for name, table in tables["tables"].items():
        title = f"Table {name.removeprefix('table')}  {table['title']}: {table['caption']}"
        if table["unit"] != "mixed":
            parts += [title, _paper_table(table)]
        elif measured is not None:
            told = fill(how_measured(measured, variants), WIDTH, initial_indent="  ",
                        subsequent_indent="  ")  # fmt: skip
            parts += [title, f"{_paper_table(with_inference(table, measured))}{told}\n"]
    parts += [
        fill(tables["notes"][name], WIDTH)
        for name in ("tables", "clean", "compared", "seeds")
        if name in tables["notes"]
    ]
    parts += ["\nMicro-suites (* = above its floor)"]
    parts.append(_tasks(tables["micro"], names_of(tables)))
    if tables["perplexity"]:
        parts += [
            "Perplexity on held-out text (in parentheses: not trained on it)",
            _perplexity(tables["perplexity"], variants),
        ]
    if tables["differences"]:
        parts += ["Differences that the items show", _differences(tables["differences"])]
    if "by_seed" in tables:
        parts += [f"By seed ({PLUS_MINUS} between seeds)", _by_seed(tables["by_seed"], variants)]
    parts.append(fill(tables["notes"]["micro"], WIDTH))
    why = reasons(tables)
    if why:
        parts.append("\nNot run:")
        parts += [
            fill(reason, WIDTH, initial_indent="  ", subsequent_indent="    ") for reason in why
        ]
    return "\n".join(parts) + "\n"


def align(rows: Sequence[Sequence[str]]) -> str:
    """Columns under each other: the first left, the others right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(f"  {line}".rstrip() for line in lines) + "\n"


def _paper_table(table: Mapping[str, Any]) -> str:
    rows = [["", *(column["label"] for column in table["columns"])]]
    for row in table["rows"]:
        if row["variant"] is None:
            continue
        write = paper_text if row["kind"] == "paper" else our_text
        texts = [write(row["cells"][c["key"]], table["unit"]) for c in table["columns"]]
        rows.append([f"{row['label']} ({row['kind']})", *texts])
        if row["kind"] == "ours" and table["unit"] != "mixed":
            cells = [row["cells"][c["key"]] for c in table["columns"]]
            rows.append(["  clean items", *(clean_text(cell, table["unit"]) for cell in cells)])
    return align(rows)


def _tasks(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    header = ["", "clusters"]
    for variant in variants:
        header += [variant, "floor", "seen", "clean"]
    lines = [header]
    for row in rows:
        first = next(iter(row["cells"].values()))
        line = [
            task_name(row["task"]),
            ABSENT if first["clusters"] is None else str(first["clusters"]),
        ]
        for variant in variants:
            line += _task_cell(row["cells"].get(variant))
        lines.append(line)
    return align(lines)


def _task_cell(cell: Mapping[str, Any] | None) -> list[str]:
    if cell is None or cell["value"] is None:
        return [NOT_RUN if cell else ABSENT, ABSENT, ABSENT, ABSENT]
    error = "" if cell["stderr"] is None else f"{PLUS_MINUS}{cell['stderr']:.2f}"
    mark = "*" if cell["signal"] else " "
    score = f"{cell['value']:.2f}{error}{mark}"
    clean = cell["clean"]
    shown = clean_text(cell, "fraction")
    if clean is not None and clean["value"] is not None:
        shown = f"{clean['value']:.2f} n={clean['items']}"
    return [score, fraction(cell["floor"]), overlap_text(cell), shown]


def _perplexity(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    """Each corpus as a whole; its domains are in the report."""
    lines = [
        [row_name(row), f"{row['tokens']:,}", *(cell_text(row["cells"].get(v)) for v in variants)]
        for row in rows
        if row["domain"] is None
    ]
    return align([["", "tokens", *variants], *lines])


def _differences(rows: Sequence[Mapping[str, Any]]) -> str:
    """The pairs of variants that differ after the correction, and out of how many."""
    lines = [
        [
            task_name(row["task"]),
            f"{row['variant']} - {row['other']}",
            signed(row["difference"]),
            ABSENT if row["low"] is None else f"{signed(row['low'])} to {signed(row['high'])}",
            p_text(row["p_corrected"]),
        ]
        for row in rows
        if row["differs"]
    ]
    told = f"  {len(lines)} of {len(rows)} comparisons, each paired by item, corrected by Holm\n"
    return told + (align([["", "", "", "95 % interval", "p"], *lines]) if lines else "")


def _by_seed(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    """The scores of the models behind each mean, a line for each task and metric."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        scores = " ".join(f"{one['value']:.2f}" for one in row["seeds"])
        shown = f"{scores} {PLUS_MINUS}{row['seeds_stderr']:.2f}"
        found.setdefault((row["task"], row["metric"]), {})[row["variant"]] = shown
    lines = [
        [f"{task_name(task)} {metric}", *(cells.get(variant, ABSENT) for variant in variants)]
        for (task, metric), cells in found.items()
    ]
    return align([["", *variants], *lines])


def costs(measured: Measured) -> str:
    """What training took here, by stage."""
    rows = [["", "seconds", "CPU seconds", "tokens/s", "artifact"]]
    for name, one in measured.items():
        took = (one.get(key) for key in ("seconds", "cpu_seconds", "tokens_per_second"))
        texts = [ABSENT if value is None else amount(value) for value in took]
        rows.append([name, *texts, short(one["artifact"])])
    return f"Measured here\n{align(rows)}" if len(rows) > 1 else ""


def safety(scores: Mapping[str, Any]) -> str:
    """The safety score of each variant with what it may be off by."""
    rows = [
        [one["variant"], score_text(one), auc_text(one), str(len(one["dropped"]))]
        for one in scores["variants"]
    ]
    return "ToxiGen (95 % interval over sentences, or error between seeds)\n" + align(
        [["", "safety score", "unscaled AUC", "groups left out"], *rows]
    )


def show(root: Path) -> None:
    """Print the tables of the last run, and what it took on this machine.

    Raises:
        ArtifactError: The tables were not made yet.
    """
    stages = load_graph(root).stages
    file = root / stages[TABLES].out / "tables.json"
    _require(file)
    tables = read_json(file)
    if missing := [key for key in _KEYS if key not in tables]:
        raise ArtifactError(
            f"{file} is of an older version, without {' and '.join(missing)}; "
            f"run: hornbook run benchmark_tables"
        )
    plots = root / stages["toxigen_plots"].out / "scores.json"
    parts = [
        render(tables, measured_here(root, WRITING)),
        safety(read_json(plots)) if plots.exists() else "",
        costs(measured_here(root, TRAINING)),
    ]
    kept = adopted(root, load_lock(root))
    behind = {TABLES, *load_graph(root).ancestors([TABLES])}
    parts += [f"{as_line(name, one)}\n" for name, one in kept.items() if name in behind]
    for line in "\n".join(part for part in parts if part).splitlines():
        tell(line)


def _require(tables: Path) -> None:
    if not tables.exists():
        raise ArtifactError(
            f"there are no tables here yet: hornbook run {TABLES} makes them, dvc pull {TABLES} "
            f"brings the recorded ones from a remote of yours"
        )


def require_up_to_date(root: Path) -> None:
    """Refuse tables that are not those of the values, code and data of today.

    Raises:
        ArtifactError: They are out of date; the message says why, and what to do.
    """
    _require(root / load_graph(root).stages[TABLES].out)
    found = status(root, [TABLES])
    apart = uncomposed(root)
    own = {name: why for name, why in found.items() if any(one.now != "stale" for one in why)}
    if not found and not apart:
        return
    lines = [f"conf/ is not in params.yaml yet: {apart}"] if apart else []
    lines += [f"{name}: {'; '.join(map(str, own[name][:3]))}" for name in list(own)[:6]]
    lines += [f"and {len(own) - 6} more"] if len(own) > 6 else []
    raise ArtifactError(
        "the tables are not those of what is here now:\n"
        + "".join(f"  {line}\n" for line in lines)
        + f"bring them up to date: hornbook run {TABLES}\n"
        f"keep them, if the change cannot change them: hornbook adopt --all --reason '...'\n"
        f"see them as they are: hornbook table --stale"
    )


def main(arguments: Sequence[str]) -> int:
    """`hornbook table [--stale]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook table",
        description="Show the benchmark tables of the last run beside the paper's figures. Tables "
        "that are out of date are refused, with what changed.",
    )
    parser.add_argument("--stale", action="store_true", help="show them also when out of date")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    if not options.stale:
        require_up_to_date(root)
    show(root)
    return 0
