"""Stage `web_classifier`: from annotations to a model."""

from hornbook.classifier.config import Fit
from hornbook.classifier.fit import fit_classifier
from hornbook.stage import Run


def web_classifier(run: Run) -> None:
    """Fit the classifier, calibrate it and judge it on what it has not seen."""
    corpus, annotations = run.input("artifacts/web/corpus"), run.input("artifacts/web/annotations")
    fit_classifier(
        run, corpus, annotations, run.section("web.classifier", Fit),
        encoder=run.input(run.section("data.encoder", str)),
        judged=run.input(run.section("data.judgements", str)),
    )  # fmt: skip
