"""Checkpoints: keys of the configuration, the curve of the training, distances layer by layer."""

import csv
import json
import math
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hornbook.diff.artifacts import Pair
from hornbook.diff.shown import Content, Table, Value
from hornbook.lineage.workspace import flatten

_LAYER = re.compile(r"(?:.*\.)?(?:layers|h|blocks)\.(\d+)\.")
_STEPS = 8  # of a curve that are told
_LOSSES = ("loss", "eval_loss")  # columns that every curve has
_COMMON_START = "eval_loss_"  # columns by corpus and domain


def compare(pair: Pair) -> Iterator[Content]:
    """What differs in the configuration, the curve and the weights of an artifact."""
    for name in pair.differing:
        files = pair.both(name)
        if files is None:
            continue
        if Path(name).name == "config.json":
            yield Content(pair.stage, tables=tuple(_config(name, *files)))
        elif Path(name).name == "curve.csv":
            yield _curve(pair.stage, *files)
        elif name.endswith(".safetensors"):
            yield _weights(pair.stage, name, *files)


def _config(name: str, before: Path, after: Path) -> Iterator[Table]:
    old, new = (flatten(json.loads(file.read_text("utf-8"))) for file in (before, after))
    rows: list[tuple[Value, ...]] = [
        (key, _value(old, key), _value(new, key))
        for key in sorted({*old, *new})
        if _value(old, key) != _value(new, key)
    ]
    if rows:
        yield Table(f"{name}: changed keys", ("key", "before", "after"), tuple(rows))


def _value(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key]) if key in values else "absent"


def _curve(stage: str, before: Path, after: Path) -> Content:
    """The losses at some of the steps that both have, and at the end."""
    old, new = (_read_curve(file) for file in (before, after))
    said, tables = list[str](), list[Table]()
    if not old or not new:
        return Content(stage, ("curve: one side has no steps",))
    ends = max(old), max(new)
    said.append(f"curve: {ends[0]:,} -> {ends[1]:,} steps{_apart(old, new)}")
    common = sorted({*old} & {*new})
    told: list[tuple[Value, ...]] = []
    for column in _LOSSES:
        at = [step for step in common if column in old[step] and column in new[step]]
        told += [
            (column, step, old[step][column], new[step][column],
             new[step][column] - old[step][column])
            for step in _spread(at)
        ]  # fmt: skip
    columns = ("loss", "step", "before", "after", "change")
    tables += [Table("curve at common steps", columns, tuple(told))] if told else []
    tables += _ends(old[ends[0]], new[ends[1]])
    return Content(stage, tuple(said), tuple(tables))


def _ends(old: Mapping[str, float], new: Mapping[str, float]) -> list[Table]:
    """The last losses, also of each corpus and domain."""
    names = [
        name
        for name in [*new, *(one for one in old if one not in new)]
        if name in _LOSSES or name.startswith(_COMMON_START)
    ]
    rows: list[tuple[Value, ...]] = []
    for name in names:
        a, b = old.get(name), new.get(name)
        rows.append((name, a, b, None if a is None or b is None else b - a))
    return [Table("losses at the end", ("loss", "before", "after", "change"), tuple(rows))]


def _read_curve(file: Path) -> dict[int, dict[str, float]]:
    """The numbers of each step by their column; empty cells are left out."""
    with file.open(encoding="utf-8", newline="") as opened:
        return {
            int(row["step"]): {
                name: float(cell) for name, cell in row.items() if cell and name != "step"
            }
            for row in csv.DictReader(opened)
        }


def _apart(old: Mapping[int, Mapping[str, float]], new: Mapping[int, Mapping[str, float]]) -> str:
    """The first step at which the loss is another one."""
    for step in sorted({*old} & {*new}):
        if old[step].get("loss") != new[step].get("loss"):
            return f", apart from step {step:,} on"
    return ", the same loss at all common steps"


def _spread(steps: list[int]) -> list[int]:
    """A few of the steps, evenly spread, first and last among them."""
    if len(steps) <= _STEPS:
        return steps
    places = sorted({round(n * (len(steps) - 1) / (_STEPS - 1)) for n in range(_STEPS)})
    return [steps[place] for place in places]


def _weights(stage: str, name: str, before: Path, after: Path) -> Content:
    """How far the weights of each layer are from each other, one tensor in memory at a time."""
    from safetensors import safe_open

    squares: dict[str, list[float]] = {}
    largest: dict[str, tuple[float, str]] = {}
    said: list[str] = []
    with _readable(), safe_open(before, "pt") as a, safe_open(after, "pt") as b:
        names = [set(one.keys()) for one in (a, b)]
        said += _alone(names[0] - names[1], f"{name}: only before")
        said += _alone(names[1] - names[0], f"{name}: only after")
        for tensor in sorted(names[0] & names[1]):
            shapes = [list(one.get_slice(tensor).get_shape()) for one in (a, b)]
            if shapes[0] != shapes[1]:
                said.append(f"{name}: {tensor} has shape {shapes[0]} -> {shapes[1]}, not compared")
                continue
            moved, size = _distance(a.get_tensor(tensor), b.get_tensor(tensor))
            layer = _layer(tensor)
            sums = squares.setdefault(layer, [0.0, 0.0])
            sums[0], sums[1] = sums[0] + moved, sums[1] + size
            largest[layer] = max(largest.get(layer, (-1.0, "")), (_relative(moved, size), tensor))
    rows: list[tuple[Value, ...]] = [
        (layer, _relative(*squares[layer]), largest[layer][1], largest[layer][0])
        for layer in sorted(squares, key=_in_order)
    ]
    columns = ("layer", "relative distance", "most in", "of it")
    told = [Table(f"{name}: distance over the norm before", columns, tuple(rows))] if rows else []
    return Content(stage, tuple(said), tuple(told))


@contextmanager
def _readable() -> Generator[None]:
    """What safetensors cannot read is an error of the file's form, as of every other reader.

    Raises:
        ValueError: It is no file of tensors, or one that was cut off.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _distance(a: Any, b: Any) -> tuple[float, float]:  # noqa: ANN401 - tensors of torch
    """The squared norm of the difference, and of the first."""
    x, y = a.double(), b.double()
    return float((y - x).square().sum()), float(x.square().sum())


def _relative(moved: float, size: float) -> float:
    if size == 0:
        return 0.0 if moved == 0 else math.inf
    return math.sqrt(moved / size)


def _alone(names: set[str], told: str) -> list[str]:
    shown = ", ".join(sorted(names)[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{told}: {shown}{more}"] if names else []


def _layer(tensor: str) -> str:
    """`layer N` of a tensor in a stack of layers, else the name without its last part."""
    found = _LAYER.match(tensor)
    return f"layer {found[1]}" if found else tensor.rpartition(".")[0] or tensor


def _in_order(layer: str) -> tuple[int, int, str]:
    name, _, number = layer.partition(" ")
    return (1, int(number), "") if name == "layer" and number.isdigit() else (2, 0, layer)
