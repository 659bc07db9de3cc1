"""Stage `train_seed@VARIANT-SEED`: a variant trained once more, from another seed."""

from dataclasses import replace
from typing import TYPE_CHECKING

from hornbook.train.config import Train
from hornbook.train.train import train_variant

if TYPE_CHECKING:
    from hornbook.stage import Run


def train_seed(run: "Run") -> None:
    """The model of `train@VARIANT` from other initial weights, on its text in another order.

    Seed N begins N after `train.seed`, so that no value of `train.seed` makes two seeds one.
    """
    variant, _, seed = str(run.instance).rpartition("-")
    settings = run.section("train", Train)
    train_variant(run, variant, replace(settings, seed=settings.seed + int(seed)))
