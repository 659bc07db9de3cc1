"""Stage `evaluate_seed@VARIANT-SEED`: all suites on a variant trained from another seed."""

from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.loading import load_lm
from hornbook.evaluate.suites import run_suites
from hornbook.stage import Run


def evaluate_seed(run: Run) -> None:
    """A folder for each suite with what `evaluate@VARIANT-SUITE` writes; the model loads once."""
    variant, _, _ = str(run.instance).rpartition("-")
    settings = run.section("evaluate", Evaluate)
    checkpoint = run.input(f"artifacts/train_seed/{run.instance}")
    run_suites(
        run, variant, settings, lambda progress: load_lm(run, checkpoint, settings, progress)
    )
