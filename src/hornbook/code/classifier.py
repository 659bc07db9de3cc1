"""Stage `code_classifier`: from annotations to a model."""

from hornbook.classifier.config import Fit
from hornbook.classifier.fit import fit_classifier
from hornbook.stage import Run


def code_classifier(run: Run) -> None:
    """Fit the classifier, calibrate it and judge it on what it has not seen."""
    corpus = run.input("artifacts/code/corpus")
    annotations = run.input("artifacts/code/annotations")
    settings, encoder = run.section("code.classifier", Fit), run.section("data.encoder", str)
    fit_classifier(run, corpus, annotations, settings, encoder=run.input(encoder))
