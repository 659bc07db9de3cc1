"""Stage `toxigen_seed@VARIANT-SEED`: the safety score of a variant trained from another seed."""

from hornbook.stage import Run
from hornbook.toxigen.toxigen import score_training


def toxigen_seed(run: Run) -> None:
    """What `toxigen@VARIANT` writes, of the model of another seed."""
    variant, _, _ = str(run.instance).rpartition("-")
    score_training(run, variant, f"artifacts/train_seed/{run.instance}")
