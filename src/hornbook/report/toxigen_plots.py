"""Stage `toxigen_plots`: the safety score of our variants by group, as Figure 2 shows it.

Writes `scores.json`, `toxigen.png`, and the rows as `toxigen.csv`, `.md`, `.tex` and `.html`.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from statistics import mean
from typing import Any

from hornbook.artifacts import read_json, write_bytes, write_json, write_text
from hornbook.report.config import ToxigenPlots
from hornbook.report.markup import RENDERINGS
from hornbook.report.over_seeds import seeds_error
from hornbook.report.overlap import DIGITS
from hornbook.report.safety import blocks, flat, whisker
from hornbook.report.wording import PLUS_MINUS, interval_text
from hornbook.stage import Run

# The same hues as the page, told apart by the colour-blind too (Okabe and Ito).
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#666666",
    "#000000",
)  # fmt: skip
HATCHES = ("", "//", "..", "xx")  # of bars beyond the colours
NOTE = (
    "Higher is safer. Scores follow arXiv:2301.09211: the probability that a hateful sentence has "
    "a higher perplexity per unit of annotated toxicity than a neutral one. They cannot be "
    "compared with the bars of the paper's Figure 2 (arXiv:2309.05463): its numbers stand in no "
    "text, its sentence count differs from the released file (6,541 against 6,514), and its "
    "scaling is not stated; a model that cannot read scores well below one half. Compare the "
    "variants with each other only."
)

INTERVALS_NOTE = (
    " Whiskers and intervals: 95 % of the scores of sentences drawn again within their label, the "
    "same draws for every model; of a mean, over its groups together, which share sentences. They "
    "say what other sentences might have given, nothing of another training."
)
SEEDS_NOTE = (
    " Scores are means over the models of the seeds {seeds} of training; whiskers and errors are "
    "standard errors between these models, and do not count which sentences were asked. A group "
    "is pale when it is not significant in one of them."
)
LACKING_NOTE = (
    " No group is significant in {stages}: without a score, not in the mean of its variant."
)
COMPARED_NOTE = (
    " Not trained here: {models}, each with its own tokenizer; what that puts before a text is not "
    "scored, and whiskers are over sentences."
)
OF_SEEDS = ("stderr", "seeds", "without_score")
ENDS = ("low", "high", "auc_low", "auc_high")
ENDS_OF_MEAN = ("low", "high", "auc_unscaled_low", "auc_unscaled_high")


def toxigen_plots(run: Run) -> None:
    """Write the scores, their picture and their tables."""
    settings = run.section("report.toxigen_plots", ToxigenPlots)
    seeds = run.section("seeds", list[int])
    models = run.section("compared.names", list[str])
    found = {variant: _found(run, variant, seeds) for variant in settings.variants}
    found |= {name: _of_compared(run, name, models[-1]) for name in models}
    scores = joined(found, list(found))
    if len(seeds) > 1:
        scores["note"] += SEEDS_NOTE.format(seeds=", ".join(map(str, seeds)))
        if lacking := [name for one in scores["variants"] for name in one.get("without_score", ())]:
            scores["note"] += LACKING_NOTE.format(stages=", ".join(lacking))
    else:
        scores["note"] += INTERVALS_NOTE
    if models:
        scores["note"] += COMPARED_NOTE.format(models=", ".join(models))
    write_json(run.out / "scores.json", scores)
    write_bytes(run.out / "toxigen.png", draw(scores, settings))
    write_text(run.out / "toxigen.csv", flat(scores))
    document = blocks(scores)
    for ending, rendered in RENDERINGS.items():
        write_text(run.out / f"toxigen.{ending}", rendered(document))
    rows = [row for row in scores["rows"] if row["score"] is not None]
    run.summary(
        rows=len(rows),
        sentences=max(entry["sentences"] for entry in found.values()),
        score={variant: entry["score"] for variant, entry in sorted(found.items())},
    )
    run.expect("scores", _frame(rows), settings.expectations, "group")


def _found(run: Run, variant: str, seeds: Sequence[int]) -> Mapping[str, Any]:
    """The scores of a variant: those of its model, or their means over the models of all seeds."""
    artifact = f"artifacts/toxigen/{variant}"
    first = read_json(run.input(artifact) / "scores.json")
    if len(seeds) == 1:
        return first | {"hash": run.hash_of(artifact)}
    folder = run.input(f"artifacts/seed_scores/{seeds[-1]}")
    others = [read_json(folder / str(seed) / variant / "scores.json") for seed in seeds[1:]]
    stages = [f"toxigen@{variant}", *(f"toxigen_seed@{variant}-{seed}" for seed in seeds[1:])]
    return mean_scores(dict(zip(stages, [first, *others], strict=True)))


def _of_compared(run: Run, name: str, last: str) -> Mapping[str, Any]:
    """The scores of a model that was not trained here."""
    artifact = f"artifacts/compared_scores/{last}"
    scores = read_json(run.input(artifact) / name / "scores.json")
    return scores | {"hash": run.hash_of(artifact), "stage": f"toxigen_compared@{name}"}


def mean_scores(by_stage: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Means of the scores of one variant's models, with standard errors between them.

    A group that is not significant in one of the models is dropped; the score is the mean of each
    model's own, over the groups that are significant in it. A model in which none is has no score:
    `without_score` names it.
    """
    entries = list(by_stage.values())
    names = sorted({group for entry in entries for group in entry["groups"]})
    groups: dict[str, dict[str, Any]] = {}
    for name in names:
        ones = [entry["groups"][name] for entry in entries if name in entry["groups"]]
        groups[name] = {
            **_mean_and_error([one["score"] for one in ones]),
            "auc": _mean_and_error([one["auc"] for one in ones])["score"],
            "p": max(one["p"] for one in ones),
        }
    return {
        **_mean_and_error([entry["score"] for entry in entries]),
        "auc_unscaled": _mean_and_error([entry["auc_unscaled"] for entry in entries])["score"],
        "groups": groups,
        "dropped": [name for name in names if any(name in entry["dropped"] for entry in entries)],
        "sentences": max(entry["sentences"] for entry in entries),
        "seeds": [{"stage": stage, "score": entry["score"]} for stage, entry in by_stage.items()],
        "without_score": [stage for stage, entry in by_stage.items() if entry["score"] is None],
    }


def _mean_and_error(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        "score": round(mean(known), DIGITS) if known else None,
        "stderr": round(seeds_error(known), DIGITS) if len(known) > 1 else None,
    }


def joined(found: Mapping[str, Mapping[str, Any]], variants: Sequence[str]) -> dict[str, Any]:
    """Scores of all models as rows of model and group, groups sorted; `stage` is where from."""
    groups = sorted({group for entry in found.values() for group in entry["groups"]})
    rows: list[dict[str, Any]] = []
    stages = {
        v: "toxigen_plots" if "seeds" in found[v] else found[v].get("stage", f"toxigen@{v}")
        for v in variants
    }
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
                    "hate": one.get("hate"),
                    "neutral": one.get("neutral"),
                    "stage": stages[variant],
                    "hash": found[variant].get("hash"),
                    **{key: one[key] for key in ENDS if key in one},
                    **({"stderr": one.get("stderr")} if "seeds" in found[variant] else {}),
                }
            )
    means = [
        {
            "variant": variant,
            "score": found[variant]["score"],
            "stage": stages[variant],
            "hash": found[variant].get("hash"),
            "auc_unscaled": found[variant].get("auc_unscaled"),
            "sentences": found[variant]["sentences"],
            "dropped": found[variant]["dropped"],
            **{
                key: found[variant][key]
                for key in (*OF_SEEDS, *ENDS_OF_MEAN)
                if key in found[variant]
            },
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
                hatch=HATCHES[index // len(COLOURS) % len(HATCHES)],
                label=f"{entry['variant']}  {_mean(entry)}",
                yerr=[list(lengths) for lengths in zip(*map(whisker, rows), strict=True)],
                error_kw={"linewidth": 0.8, "ecolor": "#444444"},
            )
            for bar, row in zip(bars, rows, strict=True):
                bar.set_alpha(0.35 if row["is_dropped"] else 1.0)
        axes.set_xticks(range(len(groups)), groups, rotation=30, ha="right")
        axes.set_ylabel("safety score, higher is safer")
        axes.set_title(
            f"ToxiGen safety score by group ({_told(scores)})",
            loc="left",
            fontsize=10,
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#dddddd", linewidth=0.7)
        axes.margins(x=0.01)
        axes.legend(
            frameon=False,
            ncols=min(len(scores["variants"]), 3),
            loc="upper left",
            bbox_to_anchor=(0, -0.22),
            title="mean over significant groups",
            alignment="left",
        )
        buffer = BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _told(scores: Mapping[str, Any]) -> str:
    """What paleness, and whiskers where there are any, say."""
    if "seeds" in scores["variants"][0]:
        return "whiskers: standard error between seeds; pale: not significant for each seed"
    told = "pale: not significant, left out of the mean"
    has_whiskers = any("low" in row for row in scores["rows"])
    return f"whiskers: 95 % interval over sentences; {told}" if has_whiskers else told


def _mean(entry: Mapping[str, Any]) -> str:
    if entry["score"] is None:
        return "none significant"
    error = entry.get("stderr")
    seeds, lacking = (entry.get(key, ()) for key in OF_SEEDS[1:])
    told = f"{entry['score']:.3f}" + ("" if error is None else f" {PLUS_MINUS} {error:.3f}")
    between = interval_text(entry.get("low"), entry.get("high"))
    told += f" ({between})" if between else ""
    return f"{told} (of {len(seeds) - len(lacking)} of {len(seeds)} seeds)" if lacking else told


def _frame(rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - pandas only in the stage
    import pandas as pd

    return pd.DataFrame(list(rows), columns=["variant", "group", "score", "auc", "p"])
