"""Charts as inline SVG that follows the colours of the page, light or dark."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, TypeGuard

from hornbook.plain import markup
from hornbook.report.lineage_drawing import page_of
from hornbook.report.safety import whisker
from hornbook.report.wording import interval_text, task_name

WIDTH = 700.0
SHADES = 9  # colours of models that the page has
Point = tuple[float, float]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers within [low, high], at most about `most` of them."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / most
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(base * factor for factor in (1, 2, 2.5, 5, 10) if base * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(step * index, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points: means over equal runs of neighbours."""
    if len(points) <= most:
        return list(points)
    bounds = [round(index * len(points) / most) for index in range(most + 1)]
    runs = [points[a:b] for a, b in pairwise(bounds) if b > a]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def svg(width: float, height: float, label: str, body: Sequence[str], kind: str) -> str:
    """An SVG element that scales with its container and is announced by `label`."""
    # what is announced as one picture hides the links in it
    role = "group" if any("<a " in part for part in body) else "img"
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="{role}" '
        f'aria-label="{markup(label)}">\n' + "\n".join(body) + "\n</svg>"
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "tick") -> str:
    """A text element; `kind` is its CSS class."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{markup(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line; `kind` is its CSS class."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def shade(index: int) -> str:
    """The CSS class with the colour of the model at this place; from the tenth on they repeat."""
    return f"v{index % SHADES}"


def linked(stage: str, body: str, told: str) -> str:
    """Part of a chart that leads to the artifact it shows and is announced as `told`."""
    return f'<a href="{page_of(stage)}" aria-label="{markup(told)}">{body}</a>'


def is_number(value: float | None) -> TypeGuard[float]:
    """Whether there is a value that has a place on an axis."""
    return value is not None and math.isfinite(value)


def curves(series: Mapping[str, Sequence[Point]], *, x_label: str, y_label: str) -> str:
    """Lines over a common pair of axes, in the order of the mapping.

    A point that is no number is a gap in its line, which is said.
    """
    left, top, right, bottom, height = 46.0, 12.0, 12.0, 40.0, 300.0
    points = [point for values in series.values() for point in values if _has_place(point)]
    x_high = max((x for x, _ in points), default=0.0) or 1.0
    y_low = min((y for _, y in points), default=0.0)
    y_high = max((y for _, y in points), default=0.0)
    margin = (y_high - y_low) * 0.04 or 0.1
    y_low, y_high = y_low - margin, y_high + margin

    def at(x: float, y: float) -> Point:
        return (
            left + (WIDTH - left - right) * x / x_high,
            top + (height - top - bottom) * (y_high - y) / (y_high - y_low),
        )

    body: list[str] = []
    for value in ticks(y_low, y_high, 6):
        y = at(0, value)[1]
        body += [
            line(left, y, WIDTH - right, y, "grid"),
            text(left - 7, y + 4, f"{value:g}", anchor="end"),
        ]
    for value in ticks(0, x_high, 6):
        x = at(value, y_low)[0]
        body.append(text(x, height - bottom + 17, _thousands(value), anchor="middle"))
    body += [
        text(WIDTH - right, height - 4, x_label, anchor="end", kind="axis"),
        text(left, top + 2, y_label, kind="axis"),
    ]
    for index, (name, values) in enumerate(series.items()):
        gaps = sum(not _has_place(point) for point in values)
        told = f"{name}, {gaps} points are no numbers" if gaps else name
        body += [
            f'<polyline class="line {shade(index)}" points="{path}"><title>{markup(told)}</title>'
            f"</polyline>"
            for path in (
                " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in part))
                for is_drawn, part in groupby(values, _has_place)
                if is_drawn
            )
        ]
        if gaps:
            body.append(text(left + 60, top + 14 * (index + 1), told, kind="axis"))
    return svg(WIDTH, height, f"{y_label} over {x_label}", body, "curves")


def _has_place(point: Point) -> bool:
    return all(map(math.isfinite, point))


def _thousands(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def dots(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    """Scores in [0, 1] with whiskers of one standard error; a tick marks each floor.

    A task of which no variant has a score has no place.
    """
    rows = [row for row in rows if any(is_number(c["value"]) for c in row["cells"].values())]
    left, right, top, bottom, lane, gap = 158.0, 16.0, 8.0, 24.0, 11.0, 9.0
    block = lane * len(variants) + gap
    height = top + block * len(rows) + bottom

    def at(value: float) -> float:
        return left + (WIDTH - left - right) * min(max(value, 0.0), 1.0)

    body: list[str] = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        body += [
            line(at(value), top, at(value), height - bottom, "grid"),
            text(at(value), height - 8, f"{value:g}", anchor="middle"),
        ]
    for place, row in enumerate(rows):
        start = top + block * place + gap / 2
        body.append(
            text(
                left - 12,
                start + (block - gap) / 2 + 4,
                task_name(row["task"]),
                anchor="end",
                kind="name",
            )
        )
        for index, variant in enumerate(variants):
            cell = row["cells"].get(variant)
            if cell and is_number(cell["value"]):
                body += _dot(cell, start + lane * (index + 0.5), index, variant, at)
    return svg(WIDTH, height, "micro-suite scores by variant", body, "dots")


def _dot(cell: Mapping[str, Any], y: float, index: int, variant: str, at: Any) -> list[str]:  # noqa: ANN401 - float -> float
    value, floor = cell["value"], cell["floor"]
    error = cell["stderr"] if is_number(cell["stderr"]) else 0.0
    found = [line(at(value - error), y, at(value + error), y, f"whisker {shade(index)}")]
    if floor is not None:
        found.append(line(at(floor), y - 4.5, at(floor), y + 4.5, "floor"))
    kind = "dot" if cell["signal"] else "dot hollow"
    words = f"{variant}: {value:.3f}, standard error {error:.3f}, floor {floor}"
    dot = (
        f'<circle class="{kind} {shade(index)}" cx="{at(value):.1f}" cy="{y:.1f}" r="4">'
        f"<title>{markup(words)}</title></circle>"
    )
    return [*found, linked(cell["stage"], dot, words)]


def bars(rows: Sequence[Mapping[str, Any]], groups: Sequence[str], variants: Sequence[str]) -> str:
    """Horizontal bars by group and variant; pale where a group was dropped."""
    left, right, top, bottom, lane, gap = 130.0, 44.0, 6.0, 24.0, 11.0, 9.0
    block = lane * len(variants) + gap
    height = top + block * len(groups) + bottom
    known = {(row["group"], row["variant"]): row for row in rows}
    tops = [r["score"] + whisker(r)[1] for r in rows if is_number(r["score"])]
    high = max(tops or [1.0])
    scale = max(math.ceil(high * 10) / 10, 0.1)
    unit = (WIDTH - left - right) / scale
    body: list[str] = []
    for value in ticks(0, scale, 5):
        x = left + unit * value
        body += [
            line(x, top, x, height - bottom, "grid"),
            text(x, height - 8, f"{value:g}", anchor="middle"),
        ]
    for place, group in enumerate(groups):
        start = top + block * place + gap / 2
        body.append(
            text(
                left - 10,
                start + (block - gap) / 2 + 4,
                group.replace("_", " "),
                anchor="end",
                kind="name",
            )
        )
        for index, variant in enumerate(variants):
            row = known[group, variant]
            if is_number(row["score"]):
                body += _bar(row, left, start + lane * index, unit, index)
    return svg(WIDTH, height, "ToxiGen safety score by group and variant", body, "bars")


def _bar(row: Mapping[str, Any], x: float, y: float, unit: float, index: int) -> list[str]:
    pale = " pale" if row["is_dropped"] else ""
    words = f"{row['variant']}, {row['group']}: {row['score']:.3f}"
    if "stderr" in row and row["stderr"] is not None:
        words += f", standard error between seeds {row['stderr']:.3f}"
    why = (
        "not significant for each seed"
        if "stderr" in row
        else "not significant, left out of the mean"
    )
    words += f" ({why})" if pale else ""
    between = interval_text(row.get("low"), row.get("high"))
    words += f", 95 % interval {between}" if between else ""
    width = unit * row["score"]
    below, above = (unit * length for length in whisker(row))
    bar = (
        f'<rect class="bar {shade(index)}{pale}" x="{x:.1f}" y="{y + 0.8:.1f}" width="{width:.1f}" '
        f'height="9.4" rx="1.5"><title>{markup(words)}</title></rect>'
    )
    figure = text(x + width + above + 4, y + 9, f"{row['score']:.2f}", kind="figure")
    found = [linked(row["stage"], bar + figure, words)]
    if below or above:
        found.append(line(x + width - below, y + 5.5, x + width + above, y + 5.5, "spread"))
    return found
