"""Stage `web_annotations`: the teacher's judgement of a sample."""

from hornbook.classifier.annotate import annotate
from hornbook.classifier.config import Annotations
from hornbook.stage import Run
from hornbook.teacher.config import Teacher


def web_annotations(run: Run) -> None:
    """Ask the teacher about the educational value of sampled documents."""
    settings = run.section("web.annotations", Annotations)
    annotate(run, run.input("artifacts/web/corpus"), settings, run.section("teacher", Teacher))
