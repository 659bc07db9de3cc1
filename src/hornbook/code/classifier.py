"""Stage `code_classifier`: from annotations to a model."""

from hornbook.classifier.config import Fit
from hornbook.classifier.steps import fit_classifier
from hornbook.stage import Run


def code_classifier(run: Run) -> None:
    """Fit the classifier and judge it on held-out annotations."""
    corpus, annotations = (
        run.input("artifacts/code/corpus"),
        run.input("artifacts/code/annotations"),
    )
    fit_classifier(run, corpus, annotations, run.section("code.classifier", Fit))
