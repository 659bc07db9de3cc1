"""Stage `web_filter`: documents that reach the threshold."""

from hornbook.classifier.config import Filter
from hornbook.classifier.filter import filter_corpus
from hornbook.stage import Run


def web_filter(run: Run) -> None:
    """Compare scores with the threshold."""
    corpus, scores = run.input("artifacts/web/corpus"), run.input("artifacts/web/scores")
    filter_corpus(run, corpus, scores, run.section("web.filter", Filter))
