"""What `dvc.yaml` repeats for each further seed of training: the values behind its templates.

DVC can repeat a stage for each entry of a mapping in `params.yaml`, but cannot list a varying
number of inputs. So `seed_scores@SEED` takes up what the seeds before it have and adds its own,
and whoever reads all seeds reads the last (D-024).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.lineage.manifest import parse_yaml

# DVC wants a path where nothing is to be read: every reader depends on this one anyway.
NOTHING = "src/hornbook/artifacts.py"
SCORES = "artifacts/seed_scores"
REPEATED = ("train_seed", "evaluate_seed", "toxigen_seed", "seed_scores")


def problem(seeds: Any) -> str | None:  # noqa: ANN401 - whatever was given
    """What is wrong with the value of `seeds`; None where it is a list of seeds."""
    if not isinstance(seeds, list | tuple):
        return "expected a list of whole numbers from 0 on, such as [0,1,2]"
    wrong = [seed for seed in seeds if type(seed) is not int or seed < 0]
    if wrong:
        return f"{wrong[0]!r} is no seed; expected whole numbers from 0 on, such as [0,1,2]"
    twice = sorted({seed for seed in seeds if list(seeds).count(seed) > 1})
    if twice:
        return f"{twice[0]} is there twice; a seed trains one model of each variant"
    if 0 not in seeds:
        return "0 is not among them; the stages train@VARIANT are seed 0, so add it"
    return None


def further_seeds(root: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """The derived section `further_seeds` of `params.yaml`; for seed 0 alone it names no stage.

    `models` have the inputs of `train@VARIANT` for each VARIANT-SEED, `scores` what comes before
    each seed, `last` what holds the scores of all.
    """
    further = sorted(seed for seed in seeds if seed)
    before = [NOTHING, *(f"{SCORES}/{seed}" for seed in further)]
    variants = variants_of(root) if further else {}
    return {
        "models": {
            f"{variant}-{seed}": {**inputs, "variant": variant, "seed": seed}
            for variant, inputs in variants.items()
            for seed in further
        },
        "scores": {str(seed): before[place] for place, seed in enumerate(further)},
        "last": before[-1],
    }


def variants_of(root: Path) -> Mapping[str, Mapping[str, Any]]:
    """What `train` is repeated for, as `dvc.yaml` says."""
    declared = parse_yaml((root / "dvc.yaml").read_text("utf-8"))
    return declared["stages"]["train"]["foreach"]
