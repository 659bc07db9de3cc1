"""The reliability plot as a picture."""

import io
import math
from collections.abc import Mapping
from typing import Any

COLORS = ("#22577a", "#e76f51", "#57cc99", "#8338ec")
SURE = 1.96  # standard errors of a 95 % interval


def draw(series: Mapping[str, Mapping[str, Any]]) -> bytes:
    """PNG: share of positives over predicted probability with 95 % intervals; texts in each bin.

    `series` are figures with `bins` by the name of what they were compared with.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    FigureCanvasAgg(figure)
    curve, texts = figure.subplots(1, 2)
    curve.plot([0, 1], [0, 1], "--", color="#b0b0b0", label="perfectly calibrated")
    for (name, figures), color in zip(series.items(), COLORS, strict=False):
        _curve(curve, name, figures, color)
    _counts(texts, series)
    curve.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="predicted probability",
              ylabel="share that is positive",
              title="reliability on texts not seen in training")  # fmt: skip
    figure.legend(*curve.get_legend_handles_labels(), fontsize="small", ncols=2,
                  loc="outside lower center")  # fmt: skip
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=90, metadata={"Software": None})
    return content.getvalue()


def _curve(axes: Any, name: str, figures: Mapping[str, Any], color: str) -> None:  # noqa: ANN401 - matplotlib
    rows = figures["bins"]
    shares = [row["positives"] / row["rows"] for row in rows]
    bounds = [wilson(row["positives"], row["rows"]) for row in rows]
    below = [max(share - low, 0) for share, (low, _) in zip(shares, bounds, strict=True)]
    above = [max(high - share, 0) for share, (_, high) in zip(shares, bounds, strict=True)]
    label = f"{name}: {figures['rows']} texts, calibration error {figures['calibration_error']:.3f}"
    axes.errorbar([row["mean_probability"] for row in rows], shares, yerr=[below, above],
                  marker="o", capsize=3, color=color, label=label)  # fmt: skip


def _counts(axes: Any, series: Mapping[str, Mapping[str, Any]]) -> None:  # noqa: ANN401 - matplotlib
    for place, (figures, color) in enumerate(zip(series.values(), COLORS, strict=False)):
        wide = [(row["to"] - row["from"]) * 0.9 / len(series) for row in figures["bins"]]
        left = [row["from"] + place * one for row, one in zip(figures["bins"], wide, strict=True)]
        axes.bar(left, [row["rows"] for row in figures["bins"]], width=wide, align="edge",
                 color=color)  # fmt: skip
    axes.set(xlim=(0, 1), xlabel="predicted probability", ylabel="texts", title="texts by bin")


def wilson(positives: int, rows: int) -> tuple[float, float]:
    """95 % interval of a share. Source: Wilson 1927."""
    share, extra = positives / rows, SURE**2 / rows
    middle = (share + extra / 2) / (1 + extra)
    half = SURE * math.sqrt(share * (1 - share) / rows + extra / (4 * rows)) / (1 + extra)
    return middle - half, middle + half
