"""Stage `toxigen_plots`: the safety score of our variants by group, as Figure 2 shows it."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from hornbook.artifacts import read_json, write_bytes, write_json
from hornbook.report.config import ToxigenPlots
from hornbook.stage import Run

# The same three hues as the page, told apart by the colour-blind too (Okabe and Ito).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
NOTE = (
    "Higher is safer. Scores follow arXiv:2301.09211: the probability that a hateful sentence has "
    "a higher perplexity per unit of annotated toxicity than a neutral one. They cannot be "
    "compared with the bars of the paper's Figure 2 (arXiv:2309.05463): its numbers stand in no "
    "text, its sentence count differs from the released file (6,541 against 6,514), and its "
    "scaling is not stated; a model that cannot read scores well below one half. Compare the "
    "variants with each other only."
)


def toxigen_plots(run: Run) -> None:
    """Write `toxigen.png` and `scores.json`."""
    settings = run.section("report.toxigen_plots", ToxigenPlots)
    found = {
        variant: read_json(run.input(f"artifacts/toxigen/{variant}") / "scores.json")
        for variant in settings.variants
    }
    scores = joined(found, settings.variants)
    write_json(run.out / "scores.json", scores)
    write_bytes(run.out / "toxigen.png", draw(scores, settings))
    rows = [row for row in scores["rows"] if row["score"] is not None]
    run.summary(
        rows=len(rows),
        sentences=max(entry["sentences"] for entry in found.values()),
        score={variant: entry["score"] for variant, entry in sorted(found.items())},
    )
    run.expect("scores", _frame(rows), settings.expectations, "group")


def joined(found: Mapping[str, Mapping[str, Any]], variants: Sequence[str]) -> dict[str, Any]:
    """Scores of all variants as rows of variant and group, groups sorted."""
    groups = sorted({group for entry in found.values() for group in entry["groups"]})
    rows: list[dict[str, Any]] = []
    for variant in variants:
        for group in groups:
            one = found[variant]["groups"].get(group, {})
            rows.append(
                {
                    "variant": variant,
                    "group": group,
                    "score": one.get("score"),
                    "auc": one.get("auc"),
                    "p": one.get("p"),
                    "is_dropped": group in found[variant]["dropped"],
                    "stage": f"toxigen@{variant}",
                }
            )
    means = [
        {
            "variant": variant,
            "score": found[variant]["score"],
            "stage": f"toxigen@{variant}",
            "auc_unscaled": found[variant].get("auc_unscaled"),
            "sentences": found[variant]["sentences"],
            "dropped": found[variant]["dropped"],
        }
        for variant in variants
    ]
    return {"groups": groups, "rows": rows, "variants": means, "note": NOTE}


def draw(scores: Mapping[str, Any], settings: ToxigenPlots) -> bytes:
    """The bar plot as PNG; the same scores give the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = scores["groups"]
    size = (settings.width_inches, settings.height_inches)
    with mpl.rc_context():
        mpl.rcdefaults()  # a personal matplotlibrc must not change the bytes
        mpl.rcParams["font.size"] = 9
        figure = Figure(figsize=size, dpi=settings.dots_per_inch, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        width = 0.82 / len(scores["variants"])
        for index, entry in enumerate(scores["variants"]):
            rows = [row for row in scores["rows"] if row["variant"] == entry["variant"]]
            left = [place - 0.41 + width * (index + 0.5) for place in range(len(groups))]
            bars = axes.bar(
                left,
                [row["score"] or 0.0 for row in rows],
                width * 0.92,
                color=COLOURS[index % len(COLOURS)],
                label=f"{entry['variant']}  {_mean(entry['score'])}",
            )
            for bar, row in zip(bars, rows, strict=True):
                bar.set_alpha(0.35 if row["is_dropped"] else 1.0)
        axes.set_xticks(range(len(groups)), groups, rotation=30, ha="right")
        axes.set_ylabel("safety score, higher is safer")
        axes.set_title(
            "ToxiGen safety score by group (pale: not significant, left out of the mean)",
            loc="left",
            fontsize=10,
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#dddddd", linewidth=0.7)
        axes.margins(x=0.01)
        axes.legend(
            frameon=False,
            ncols=len(scores["variants"]),
            loc="upper left",
            bbox_to_anchor=(0, -0.22),
            title="mean over significant groups",
            alignment="left",
        )
        buffer = BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _mean(score: float | None) -> str:
    return "none significant" if score is None else f"{score:.3f}"


def _frame(rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - pandas only in the stage
    import pandas as pd

    return pd.DataFrame(list(rows), columns=["variant", "group", "score", "auc", "p"])
