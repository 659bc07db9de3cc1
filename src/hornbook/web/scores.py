"""Stage `web_scores`: a score per document."""

from hornbook.classifier.config import Scores
from hornbook.classifier.scores import score_corpus
from hornbook.stage import Run


def web_scores(run: Run) -> None:
    """Score the corpus."""
    settings = run.section("web.scores", Scores)
    corpus, classifier = run.input("artifacts/web/corpus"), run.input("artifacts/web/classifier")
    encoder = run.input(run.section("data.encoder", str))
    score_corpus(run, corpus, classifier, settings, encoder=encoder)
