"""Diversity of the books as a picture."""

import io
from typing import Any

HUES = 10


def draw(found: dict[str, Any]) -> bytes:
    """PNG: distinct n-grams and compression by domain and style, growth of the vocabulary."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    for row, axis in enumerate(("domain", "style")):
        _bars(axes[row, 0], found[axis], axis)
        _growth(axes[row, 1], found[axis] | found["all"], axis, colormaps["tab10"])
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=90, metadata={"Software": None})
    return content.getvalue()


def _bars(axes: Any, groups: dict[str, Any], axis: str) -> None:  # noqa: ANN401 - matplotlib
    names = sorted(groups, reverse=True)
    places = range(len(names))
    axes.barh([p + 0.2 for p in places], [groups[n]["distinct_3"] for n in names], height=0.38,
              color="#0072b2", label="distinct 3-grams (higher is more diverse)")  # fmt: skip
    axes.barh([p - 0.2 for p in places], [groups[n]["self_similarity"] for n in names], height=0.38,
              color="#e69f00", label="self-similarity (lower is more diverse)")  # fmt: skip
    axes.set_yticks(list(places), names)
    axes.set_xlim(0, 1)
    axes.set_ylabel(axis)
    axes.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.06))


def _growth(axes: Any, groups: dict[str, Any], axis: str, colors: Any) -> None:  # noqa: ANN401
    for n, (name, figures) in enumerate(sorted(groups.items())):
        tokens, vocabulary = zip(*figures["growth"], strict=True) if figures["growth"] else ((), ())
        dashes = "-" if n < HUES else "--"
        axes.plot(tokens, vocabulary, dashes, color=colors(n % HUES), label=name)
    axes.set_title(f"vocabulary by {axis}")
    axes.set_xlabel("words read")
    axes.set_ylabel("distinct words")
    axes.legend(fontsize="x-small")
