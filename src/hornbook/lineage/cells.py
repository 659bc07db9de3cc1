"""The cells of the tables: those that a revision has, what changed in them, which a stage makes."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hornbook.lineage.cache import cached_files
from hornbook.lineage.forecast import Action, Step
from hornbook.lineage.manifest import Graph, LockEntry, lookup
from hornbook.lineage.pieces import Missing, cached_json
from hornbook.lineage.workspace import Hasher, Reason, folder_hash

TABLES, PLOTS = "benchmark_tables", "toxigen_plots"
_SUITES = "evaluate.suites"
_EVALUATIONS = {"evaluate", "evaluate_seed", "evaluate_compared"}
_COMMITS = 20  # in which the record of an input is looked for


@dataclass(frozen=True)
class TableCell:
    """A measured number of the tables; `stage` made it, `names` are what a person may call it.

    `seeds` are the stages behind a mean over seeds, of which `stage` is the first; `interval` has
    95 % where there is no standard error.
    """

    task: str
    names: frozenset[str]
    variant: str
    metric: str
    value: float | None
    stderr: float | None
    stage: str
    seeds: tuple[str, ...]
    interval: tuple[float, float] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same cell in other tables."""
        return self.task, self.variant, self.metric

    def __str__(self) -> str:
        """Metric and value with its error."""
        mean = f" (mean of {', '.join(self.seeds)})" if self.seeds else ""
        return f"{self.metric} {self.number}{mean}".strip()

    @property
    def number(self) -> str:
        """The value with its error or its interval."""
        if self.value is None:
            return "not run"
        if self.interval is not None:
            return f"{self.value:.4g} ({self.interval[0]:.3g} to {self.interval[1]:.3g})"
        return f"{self.value:.4g}" + (f" +- {self.stderr:.3g}" if self.stderr is not None else "")

    @property
    def error_text(self) -> str:
        """The standard error, else the ends of the interval, for a sheet."""
        if self.interval is not None:
            return f"{self.interval[0]} to {self.interval[1]}"
        return "" if self.stderr is None else str(self.stderr)


def table_cells(root: Path, lock: Mapping[str, LockEntry]) -> list[TableCell]:
    """The measured cells of the recorded tables, as far as they can be read here."""
    return readable_cells(root, lock)[0]


def readable_cells(
    root: Path, lock: Mapping[str, LockEntry]
) -> tuple[list[TableCell], dict[str, Missing]]:
    """The cells that can be read here, and by stage why the others cannot."""
    found: list[TableCell] = []
    missing: dict[str, Missing] = {}
    for stage in SOURCES:
        side = cells_of(root, lock, stage)
        if isinstance(side, Missing):
            missing[stage] = side
        else:
            found += side
    return found, missing


def cells_of(
    root: Path, lock: Mapping[str, LockEntry], stage: str
) -> Sequence[TableCell] | Missing:
    """The cells that one of `SOURCES` has, or why they cannot be read; none where it never ran."""
    if stage not in lock:
        return ()
    name, read = SOURCES[stage]
    value = cached_json(root, lock[stage].out_hash, name)
    if isinstance(value, Missing):
        return value
    try:
        found = {cell.key: cell for cell in read(value)}
    except (AttributeError, KeyError, TypeError, ValueError):
        return Missing(is_other_form=True)  # of an earlier version
    return tuple(found.values())


def read_tables(tables: Mapping[str, Any]) -> Iterator[TableCell]:
    """The cells of `tables.json`."""
    for row in (*tables.get("micro", ()), *tables.get("further", ())):
        for variant, cell in row["cells"].items():
            yield _cell(cell, variant, (row["task"], row["task"].removeprefix("micro_")))
    for table in tables["tables"].values():
        labels = {column["key"]: column for column in table["columns"]}
        for row in table["rows"]:
            for key, cell in row["cells"].items() if row["kind"] in {"ours", "compared"} else ():
                if cell.get("stage") and cell.get("value") is not None:
                    names = (key, labels[key]["label"], labels[key]["task"] or key)
                    yield _cell(cell, row["variant"], names)
    for row in tables.get("perplexity", ()):  # tables of earlier revisions have none
        for variant, cell in row["cells"].items() if row["domain"] is None else ():
            shown = {**cell, "metric": "perplexity", "value": cell["perplexity"]}
            yield _cell(shown, variant, (row["source"],))


def read_scores(scores: Mapping[str, Any]) -> Iterator[TableCell]:
    """The cells of ToxiGen's `scores.json`: of each variant the mean over groups, and the AUC."""
    for one in scores["variants"]:
        for metric, value, error, start in (
            ("safety score", one["score"], one.get("stderr"), ""),
            ("unscaled AUC", one["auc_unscaled"], None, "auc_unscaled_"),
        ):
            ends = one.get(f"{start}low"), one.get(f"{start}high")
            cell = _cell({**one, "metric": metric, "value": value}, one["variant"], ("toxigen",))
            is_known = ends[0] is not None and ends[1] is not None
            yield replace(cell, stderr=error, interval=ends if is_known else None)


# what stages with numbers of models write: the file, and what reads its cells
SOURCES: Mapping[str, tuple[str, Callable[[Any], Iterator[TableCell]]]] = {
    TABLES: ("tables.json", read_tables),
    PLOTS: ("scores.json", read_scores),
}


def _cell(cell: Mapping[str, Any], variant: str, names: Sequence[str]) -> TableCell:
    seeds = tuple(one["stage"] for one in cell.get("seeds") or ())
    return TableCell(
        task=names[0],
        names=frozenset(name.lower() for name in names),
        variant=variant,
        metric=cell.get("metric", ""),
        value=cell["value"],
        stderr=cell.get("stderr"),
        stage=seeds[0] if seeds else cell["stage"],
        seeds=seeds,
    )


@dataclass(frozen=True)
class Touched:
    """The benchmarks whose cells a run of a stage may change.

    `tasks` for reasons of its own; `asked` all of them, which may if one of `upstream` changes.
    """

    tasks: Sequence[str]
    asked: Sequence[str]
    upstream: Sequence[str]

    def __str__(self) -> str:
        """A line for a person."""
        if not self.asked:
            return "none, as the suite asks nothing here"
        told = ", ".join(self.tasks) or "none, as all answers are kept"
        more = len(self.asked) - len(self.tasks)
        if self.upstream and more:
            told += f"; {'and ' if self.tasks else ''}{more} more if {self.upstream[0]} changes"
        return told


def touched(
    step: Step, actions: Mapping[str, Action], graph: Graph, hasher: Hasher, *, is_recorded: bool
) -> Touched | None:
    """What a step does to cells; None for a stage without cells.

    `actions` are those of all steps. Answers to requests that stay are kept, so the other cells
    cost nothing.
    """
    stage = graph.stages[step.stage]
    if stage.family not in _EVALUATIONS or step.action == "restore":
        return None
    suites: Mapping[str, Sequence[str]] = lookup(graph.params, _SUITES)
    if stage.family == "evaluate":
        suite = (stage.instance or "").rpartition("-")[2]
        asked = list(suites.get(suite, ()))
    else:
        asked = [task for tasks in suites.values() for task in tasks]
    upstream = {name: actions[name] for name in stage.producers if name in actions}
    if len(step.chain) > 1 or not is_recorded or "run" in upstream.values():
        return Touched(asked, asked, ())
    some = [_touched(one, asked, graph, hasher) for one in step.causes]
    tasks = [task for task in asked if any(task in own for own in some)]
    return Touched(tasks, asked, sorted(upstream))


def _touched(cause: Reason, asked: Sequence[str], graph: Graph, hasher: Hasher) -> set[str]:
    """The benchmarks that one reason is about."""
    if cause.kind == "parameter" and cause.what.startswith(f"{_SUITES}."):
        had = json.loads(cause.before) if cause.before != "absent" else []
        return set(asked) - set(had)
    if cause.kind == "data":
        before = recorded_files(graph.root, cause.what, cause.before)
        if before is not None and (graph.root / cause.what).is_dir():
            now = hasher.files(cause.what)
            changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
            return {task for task in asked if any(_is_of(name, task) for name in changed)}
    return set(asked)


def recorded_files(root: Path, path: str, digest: str) -> dict[str, str] | None:
    """The files that a folder had, as DVC tracks them now or did at a commit not long ago.

    DVC keeps the listing of what `data.dvc` tracks, not of the folder in it that a stage reads.
    """
    for out in _tracked(root):
        inside = "" if path == out["path"] else path.removeprefix(f"{out['path']}/") + "/"
        files = cached_files(root, out["md5"]) or {}
        own = {
            name.removeprefix(inside): md5 for name, md5 in files.items() if name.startswith(inside)
        }
        if folder_hash(own) == digest:
            return own
    return None


def _tracked(root: Path) -> Iterator[dict[str, Any]]:
    """What `.dvc` files track, as they are and then as they were, newest first."""
    for file in sorted(one for one in root.glob("*.dvc") if one.is_file()):
        yield from yaml.safe_load(file.read_text("utf-8")).get("outs", ())
        for commit in _git(root, "log", f"-{_COMMITS}", "--format=%H", "--", file.name).split():
            text = _git(root, "show", f"{commit}:./{file.name}")
            yield from (yaml.safe_load(text) or {}).get("outs", ())


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout


def _is_of(file: str, task: str) -> bool:
    """Whether a file of the benchmarks' folder is read for a task; `arc/` is for two."""
    folder, _, name = file.partition("/")
    return name.split(".")[0] == task if folder == "micro" else task.split("_", 1)[0] == folder
