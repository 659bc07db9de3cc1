"""Stage `web_classifier`: from annotations to a model."""

from hornbook.classifier.config import Fit
from hornbook.classifier.steps import fit_classifier
from hornbook.stage import Run


def web_classifier(run: Run) -> None:
    """Fit the classifier and judge it on held-out annotations."""
    corpus, annotations = run.input("artifacts/web/corpus"), run.input("artifacts/web/annotations")
    fit_classifier(run, corpus, annotations, run.section("web.classifier", Fit))
