"""The coverage report as a picture."""

import io
from typing import Any

from hornbook.topics.coverage import FEW

LEVEL_COLORS = ("#22577a", "#38a3a5", "#57cc99", "#c7f9cc", "#f4a261", "#e76f51", "#b0b0b0")


def draw(found: dict[str, Any]) -> bytes:
    """PNG with four panels: domains by Bloom's level, levels, similarities, thinnest subjects."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    _domains(axes[0, 0], found)
    _levels(axes[0, 1], found)
    _similarity(axes[1, 0], found)
    _gaps(axes[1, 1], found)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=90, metadata={"Software": None})
    return content.getvalue()


def _domains(axes: Any, found: dict[str, Any]) -> None:  # noqa: ANN401 - matplotlib
    domains = list(found["by_domain_and_bloom"])[::-1]
    start = [0] * len(domains)
    for level, color in zip(found["by_bloom"], LEVEL_COLORS, strict=False):
        widths = [found["by_domain_and_bloom"][d][level] for d in domains]
        axes.barh(domains, widths, left=start, color=color, label=level)
        start = [a + b for a, b in zip(start, widths, strict=True)]
    axes.set_title(f"{found['topics']:,} topics by domain")
    axes.set_xlabel("topics")
    axes.legend(title="Bloom's level", fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))


def _levels(axes: Any, found: dict[str, Any]) -> None:  # noqa: ANN401 - matplotlib
    levels = list(found["by_bloom"])
    axes.bar(levels, list(found["by_bloom"].values()), color=LEVEL_COLORS[: len(levels)])
    axes.set_title("topics by Bloom's level")
    axes.set_ylabel("topics")
    axes.tick_params(axis="x", rotation=20)


def _similarity(axes: Any, found: dict[str, Any]) -> None:  # noqa: ANN401 - matplotlib
    near = found["nearest_similarity"]
    width = 1 / near["bins"]
    left = [n * width for n in range(near["bins"])]
    axes.bar(left, near["histogram"], width=width, align="edge", color="#22577a", edgecolor="white")
    axes.set_xlim(0, 1)
    axes.set_title(f"similarity to the nearest topic of the domain, mean {near['mean']:.2f}")
    axes.set_xlabel("cosine of character n-grams (1 is the same name)")
    axes.set_ylabel("base topics")


def _gaps(axes: Any, found: dict[str, Any]) -> None:  # noqa: ANN401 - matplotlib
    rows = sorted(found["benchmark_subjects"], key=lambda row: (row["topics"], row["subject"]))[:20]
    names = [f"{row['subject']} ({row['benchmark']})" for row in rows][::-1]
    axes.barh(names, [row["topics"] for row in rows][::-1], color="#e76f51")
    axes.set_xlim(0, max([FEW, *(row["topics"] * 1.05 for row in rows)]))
    few, known = len(found["gaps"]), len(found["benchmark_subjects"])
    axes.set_title(
        f"thinnest of {known} subjects that benchmarks name,\n{few} have under {FEW} topics"
    )
    axes.set_xlabel("topics that mention one of the subject's words")
    axes.tick_params(axis="y", labelsize="small")
