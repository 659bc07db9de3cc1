"""Stage `code_scores`: a score per document."""

from hornbook.classifier.config import Scores
from hornbook.classifier.scores import score_corpus
from hornbook.stage import Run


def code_scores(run: Run) -> None:
    """Score the corpus."""
    settings = run.section("code.scores", Scores)
    corpus, classifier = run.input("artifacts/code/corpus"), run.input("artifacts/code/classifier")
    encoder = run.input(run.section("data.encoder", str))
    score_corpus(run, corpus, classifier, settings, encoder=encoder)
