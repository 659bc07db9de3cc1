"""Stage `code_filter`: documents that reach the threshold."""

from hornbook.classifier.config import Filter
from hornbook.classifier.filter import filter_corpus
from hornbook.stage import Run


def code_filter(run: Run) -> None:
    """Compare scores with the threshold."""
    corpus, scores = run.input("artifacts/code/corpus"), run.input("artifacts/code/scores")
    filter_corpus(run, corpus, scores, run.section("code.filter", Filter))
