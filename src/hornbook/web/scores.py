"""Stage `web_scores`: a score per document."""

from hornbook.classifier.config import Scores
from hornbook.classifier.steps import score_corpus
from hornbook.stage import Run


def web_scores(run: Run) -> None:
    """Score the corpus."""
    corpus, classifier = run.input("artifacts/web/corpus"), run.input("artifacts/web/classifier")
    score_corpus(run, corpus, classifier, run.section("web.scores", Scores))
