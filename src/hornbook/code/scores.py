"""Stage `code_scores`: a score per document."""

from hornbook.classifier.config import Scores
from hornbook.classifier.steps import score_corpus
from hornbook.stage import Run


def code_scores(run: Run) -> None:
    """Score the corpus."""
    corpus, classifier = run.input("artifacts/code/corpus"), run.input("artifacts/code/classifier")
    score_corpus(run, corpus, classifier, run.section("code.scores", Scores))
