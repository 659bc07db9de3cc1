"""Reproducing a part of what takes long: the first steps of a training, some items of a benchmark.

A training runs as it always does and is ended at a row of its curve, so its steps are those of the
whole run; the order of all sequences is drawn to its end and compared by its digest. Benchmarks
are asked for their first items alone: other batches, so log-probabilities may differ in their last
digits, and each item is compared by itself. Answers of the teacher are those of a shorter plan.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, write_text
from hornbook.lineage.clean_copy import CleanCopy
from hornbook.lineage.differences import Compared, Difference, compare_files, distance
from hornbook.lineage.manifest import load_graph

Say = Callable[[str], None]
Files = Mapping[str, Path]
ITEMS = "items.parquet"
KEYS = ("task", "metric", "item")
PART = "part-"
SHOWN = 80  # characters of an answer in a difference


@dataclass(frozen=True)
class Sampled:
    """What a sample was of (for the receipt), what was compared, and what came of it."""

    sample: Mapping[str, Any]
    told: str
    compared: Compared


def sample_training(
    copy: CleanCopy, recorded: Files, wanted: int, tolerance: float, say: Say
) -> Sampled | None:
    """The first `wanted` steps and the row of the curve that they end in; None where it has fewer.

    Raises:
        StageError: The training failed.
    """
    facts = read_json(recorded["metrics.json"])
    if wanted >= facts["steps"]:
        return None
    header = recorded["curve.csv"].read_text("utf-8").splitlines()[0].split(",")

    def rows() -> list[dict[str, Any]]:
        """What the journal of the training in the copy has now."""
        files = list(copy.root.glob(".hornbook/pending/*/curve.jsonl"))
        lines = files[0].read_text("utf-8").splitlines(keepends=True) if files else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def is_there() -> bool:
        return any(row["step"] >= wanted for row in rows())

    # a short training may have come to its end before anybody looked
    is_whole = copy.run(say, is_there)
    made = (copy.out / "curve.csv").read_text("utf-8") if is_whole else _curve(header, rows())
    last = next(step for step in _steps(made) if step >= wanted)
    folder = copy.root / ".hornbook" / "sample"
    files = {"recorded": recorded["curve.csv"].read_text("utf-8"), "remade": made}
    for name, text in files.items():
        write_text(folder / name / "curve.csv", _until(text, last))
    one, other = ({"curve.csv": folder / name / "curve.csv"} for name in files)
    compared = _with_order(copy, facts, compare_files(one, other, tolerance))
    count = sum(step <= last for step in _steps(made))
    told = f"{count} rows of the curve to step {last:,}, order of all {facts['steps']:,} steps"
    return Sampled({"steps": last, "of": facts["steps"]}, told, compared)


def _steps(curve: str) -> list[int]:
    return [int(line.split(",")[0]) for line in curve.splitlines()[1:]]


def _until(curve: str, last: int) -> str:
    """The rows of a curve up to a step."""
    head, *rows = curve.splitlines()
    kept = [row for row in rows if int(row.split(",")[0]) <= last]
    return "\n".join([head, *kept]) + "\n"


def _curve(header: list[str], rows: list[dict[str, Any]]) -> str:
    """Rows of a journal as `curve.csv` has them."""
    from hornbook.train.curve import Curve

    kinds = [name.removeprefix("loss_") for name in header if name.startswith("loss_")]
    sources = [kind for kind in kinds if "/" not in kind]
    domains = [kind for kind in kinds if "/" in kind]
    curve = Curve(None, sources, domains, has_z="z" in header)
    curve.rows = rows
    return curve.csv()


def _with_order(copy: CleanCopy, facts: Mapping[str, Any], compared: Compared) -> Compared:
    """The comparison, with the digest of all that was drawn."""
    from hornbook.mixture.trace import Order

    order = Order(copy.root, load_graph(copy.root), copy.stage)
    digest = order.sampler.replay(order.steps, order.sequences)
    if digest == facts["digest"]:
        return compared
    other = Difference("metrics.json", "digest", facts["digest"], digest)
    names = (*compared.differing, "metrics.json")
    return Compared(compared.files + 1, names, other, compared.largest, is_within=False)


def sample_items(
    copy: CleanCopy, recorded: Files, wanted: int, tolerance: float, say: Say
) -> Sampled | None:
    """The first `wanted` items of each benchmark; None where no more were asked.

    Raises:
        StageError: The stage failed.
    """
    params: dict[str, Any] = dict(load_graph(copy.root).params)
    limit = params["evaluate"]["limit"]
    if limit is not None and wanted >= limit:
        return None
    params["evaluate"] = {**params["evaluate"], "limit": wanted}
    # JSON is YAML, and quotes what YAML would read as something else
    write_text(copy.root / "params.yaml", json.dumps(params))
    copy.run(say)
    found: list[Difference] = []
    items = files = 0
    for name in sorted(name for name in recorded if Path(name).name == ITEMS):
        known, asked = _items(recorded[name]), _items(copy.out / name)
        files, items = files + 1, items + len(asked)
        found += _of_items(name, known, asked)
    beyond = [one for one in found if one.relative is None or not one.relative <= tolerance]
    numbers = [one for one in found if one.relative is not None]
    compared = Compared(
        files,
        tuple(sorted({one.file for one in found})),
        next(iter(beyond or found), None),
        max(numbers, key=lambda one: one.relative or 0.0, default=None),
        not beyond,
    )
    return Sampled({"items": wanted}, f"{items:,} scores of the first {wanted:,} items", compared)


def sample_answers(
    copy: CleanCopy, recorded: Files, wanted: int, _tolerance: float, say: Say
) -> Sampled | None:
    """The first `wanted` answers of the teacher, replayed; None where no more were asked.

    A longer plan of books goes on where a shorter one ends, so these are the same requests.

    Raises:
        StageError: The stage failed, or the plan asks what was never answered.
    """
    params: dict[str, Any] = dict(load_graph(copy.root).params)
    answers: dict[str, Any] = params["books"]["answers"]
    if wanted >= answers["count"]:
        return None
    params["books"] = {**params["books"], "answers": {**answers, "count": wanted}}
    write_text(copy.root / "params.yaml", json.dumps(params))
    copy.run(say)
    made = {Path(name).name: copy.out / name for name in recorded if (copy.out / name).exists()}
    parts = sorted(name for name in made if name.startswith(PART))
    asked = {key: row for name in parts for key, row in _answers(made[name]).items()}
    known: dict[str, dict[str, Any]] = {}
    for name in sorted(name for name in recorded if Path(name).name.startswith(PART)):
        known |= {k: row for k, row in _answers(recorded[name]).items() if k in asked}
        if len(known) == len(asked):
            break
    found = list(_of_answers(parts[0], known, asked))
    names = tuple(sorted({one.file for one in found}))
    compared = Compared(len(parts), names, next(iter(found), None), None, not found)
    return Sampled({"answers": wanted, "of": answers["count"]}, f"{len(asked):,} answers", compared)


def _of_answers(
    name: str, known: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Mapping[str, Any]]
) -> Iterator[Difference]:
    for key, row in asked.items():
        if key not in known:
            yield Difference(name, key, "nothing", "an answer")
            continue
        for column, value in row.items():
            if known[key][column] != value:
                was, now = str(known[key][column])[:SHOWN], str(value)[:SHOWN]
                yield Difference(name, f"{key}, {column}", was, now)


def _answers(file: Path) -> dict[str, dict[str, Any]]:
    import pyarrow.parquet as pq

    return {row["id"]: row for row in pq.read_table(file).to_pylist()}


def _items(file: Path) -> dict[str, dict[str, Any]]:
    import pyarrow.parquet as pq

    rows = pq.read_table(file).to_pylist()
    return {" ".join(row[key] for key in KEYS): row for row in rows}


def _of_items(
    name: str, known: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Mapping[str, Any]]
) -> Iterator[Difference]:
    for place, row in asked.items():
        if place not in known:
            yield Difference(name, place, "nothing", "an item")
            continue
        for column in ("score", "detail"):
            x, y = known[place][column], row[column]
            if x != y:
                yield Difference(name, f"{place}, {column}", str(x), str(y), _apart(x, y))


def _apart(x: Any, y: Any) -> float | None:  # noqa: ANN401 - a score, or JSON of what was answered
    """How far two answers are from each other; None where they are not of numbers."""
    if isinstance(x, str):
        try:
            x, y = json.loads(x), json.loads(y)
        except ValueError:
            return None
    return distance(x, y)
