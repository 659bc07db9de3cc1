"""Stage `book_annotations`: the teacher's judgement of a sample of its own kind."""

from hornbook.classifier.annotate import annotate
from hornbook.classifier.config import Annotations
from hornbook.stage import Run
from hornbook.teacher.config import Teacher


def book_annotations(run: Run) -> None:
    """Ask the teacher how good sampled books are; a figure, not a filter."""
    settings = run.section("books.annotations", Annotations)
    annotate(run, run.input("artifacts/books/corpus"), settings, run.section("teacher", Teacher))
