"""From annotations to a classifier: train on one part, calibrate on another, judge on the third."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hornbook.artifacts import read_table, shards, write_bytes, write_json
from hornbook.classifier import calibration, judgements
from hornbook.classifier.config import Fit, Parts
from hornbook.classifier.figure import draw
from hornbook.classifier.figures import against_annotations, against_truth
from hornbook.classifier.model import Classifier, raw, save, train
from hornbook.errors import InputError
from hornbook.seeds import stream
from hornbook.stage import Run


class Sample(NamedTuple):
    """Annotated texts in the order of their ids, no text twice."""

    texts: list[str]
    scores: NDArray[np.int64]

    def part(self, places: NDArray[np.int64]) -> "Sample":
        """The texts at `places`."""
        return Sample([self.texts[n] for n in places.tolist()], self.scores[places])


def fit_classifier(
    run: Run, corpus: Path, annotations: Path, settings: Fit, *,
    encoder: Path | None = None, judged: Path | None = None,
) -> None:  # fmt: skip
    """Fit, calibrate and judge on three parts of the annotations; keep the model.

    Raises:
        InputError: The annotations are all on one side of `positive_from`, or too few.
    """
    sample = annotated(corpus, annotations, settings.characters)
    _require_both_sides(run, sample, settings)
    places = split(sample.scores, settings.parts, stream(settings.seed, "split", run.family))
    fitted, held, test = (sample.part(places[name]) for name in ("train", "calibration", "test"))
    regressor = train(
        fitted.texts, fitted.scores, settings,
        encoder=encoder, name=run.family, workers=run.runtime.workers,
    )  # fmt: skip
    border = settings.positive_from
    curves = calibration.fit(settings.calibration, raw(regressor, held.texts), held.scores, border)
    model = Classifier(regressor, curves, settings.characters)
    save(run.out, model)
    figures = against_annotations(model.predict(test.texts), test.scores, border, settings.bins)
    skipped: Counter[str] = Counter()
    human = {
        name: against_truth(model.predict(one.texts).probability, one.is_good, settings.bins)
        for name, one in (judgements.read(judged, skipped) if judged else {}).items()
    }
    rows = {name: len(found) for name, found in places.items()}
    report(run, figures, human, {"kind": settings.kind, "rows": rows, "positive_from": border})
    if skipped:
        run.summary(skipped_judgements=dict(sorted(skipped.items())))


def annotated(corpus: Path, annotations: Path, characters: int) -> Sample:
    """What is read of the annotated texts; one shard of the corpus is in memory at a time."""
    rows = read_table(annotations / "annotations.parquet", ["id", "score"]).to_pylist()
    scores = {row["id"]: row["score"] for row in rows}
    found: dict[str, str] = {}
    for part in shards(corpus):
        table = read_table(part, ["id", "text"])
        ids = table.column("id").to_pylist()
        places = [place for place, one in enumerate(ids) if one in scores]
        table = table.take(np.array(places, dtype=np.int64))  # also where no text is annotated
        found |= {row["id"]: row["text"][:characters] for row in table.to_pylist()}
    ids = sorted(found)
    # a text in two parts would be known by heart
    first = {found[one]: one for one in reversed(ids)}
    ids = [one for one in ids if first[found[one]] == one]
    return Sample([found[i] for i in ids], np.array([scores[i] for i in ids], dtype=np.int64))


def _require_both_sides(run: Run, sample: Sample, settings: Fit) -> None:
    noun = run.family.partition("_")[0]
    is_positive = sample.scores >= settings.positive_from
    if is_positive.all() or not is_positive.any():
        raise InputError(
            f"{run.name}: all {len(sample.texts)} annotations are on one side of "
            f"{noun}.classifier.positive_from={settings.positive_from}; "
            f"annotate a larger or more varied sample, or move the border"
        )


def split(
    scores: NDArray[np.int64], parts: Parts, random: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Places of each part, drawn so that every part has its share of every score.

    Raises:
        InputError: The shares leave nothing to train on.
    """
    order = random.permutation(len(scores))
    order = order[np.argsort(scores[order], kind="stable")]
    found: dict[str, NDArray[np.int64]] = {}
    for name, share in (("test", parts.test), ("calibration", parts.calibration)):
        steps = np.floor(np.arange(1, len(order) + 1) * share * len(scores) / len(order) + 0.5)
        is_taken = np.diff(steps, prepend=0) > 0
        found[name], order = np.sort(order[is_taken]), order[~is_taken]
    if not all(map(len, (order, *found.values()))):
        raise InputError(
            f"{len(scores)} annotations cannot be split into classifier.parts={parts} and a rest "
            f"to train on; annotate a larger sample"
        )
    return {"train": np.sort(order), **found}


def report(
    run: Run, figures: dict[str, Any], human: dict[str, dict[str, Any]], about: dict[str, Any]
) -> None:
    """`metrics.json`, `reliability.png` and the summary."""
    write_json(run.out / "metrics.json", about | {"annotations": figures, "human": human or None})
    series = {"annotations": figures} | {f"people, {name}": one for name, one in human.items()}
    write_bytes(run.out / "reliability.png", draw(series))
    told = ("precision", "recall", "f1", "accuracy", "majority", "auc", "calibration_error",
            "mean_error")  # fmt: skip
    run.summary(
        kind=about["kind"],
        rows=sum(about["rows"].values()),
        parts=about["rows"],
        **{name: figures[name] for name in told},
        human={
            name: {key: one[key] for key in ("accuracy", "majority", "f1", "auc")}
            for name, one in human.items()
        } or "no human labels in this experiment",
    )  # fmt: skip
