"""Under which names, and in what order, MLflow shows numbers.

It makes a section of charts of what stands before the last slash, and puts the sections in
alphabetical order.
"""

import re
from collections.abc import Collection

from hornbook.track.records import Metrics, Record

FIRST = ("loss", "eval_loss")
LAST = ("skipped", "tokens")  # what grows by itself compares nothing
CURVES, DOMAINS = "curves", "train_domains"
BESIDE = ("_chance", "_blind", "_items", "_clusters", "/tokens")  # of a score, no score itself
_OF_DOMAIN = re.compile(r"(eval_)?loss_[^/]+/")


def rank(key: str) -> tuple[int, int]:
    """A place in the list of metrics: losses, what else is of the whole run, sources, the rest."""
    if key in FIRST:
        return 0, FIRST.index(key)
    if key in LAST:
        return 3, LAST.index(key)
    return (4 if "/" in key else 2 if "loss_" in key else 1), 0


def shown_as(key: str, drawn: Collection[str]) -> str:
    """The name of a training's metric: curves behind the benchmarks, those of domains last."""
    if _OF_DOMAIN.match(key):
        return f"{DOMAINS}/{key}"
    return f"{CURVES}/{key}" if key in drawn else key


def is_drawn(key: str, drawn: Collection[str]) -> bool:
    """Whether a final number is the end of one of the curves `drawn`, under another name."""
    kind, _, place = key.partition("/")
    return kind in {"eval_loss_by_source", "eval_loss_by_domain"} and f"eval_loss_{place}" in drawn


def headlines(record: Record) -> Metrics:
    """The scores of a model by which people compare models, in one section for each kind.

    Standard errors are in a section of their own. Left out are what stands beside a score (the
    chance, the counts), groups, and domains.
    """
    family = record.tags["stage.family"].removesuffix("_seed").removesuffix("_compared")
    found: Metrics = {}
    for key, value in record.metrics.items():
        if (
            key.count("/") < 2
            and not key.endswith(BESIDE)
            and not key.startswith(("measured/", "groups/"))
        ):
            section, what = _place(family, key)
            if what.endswith("_stderr"):
                found[f"stderr/{section}.{what.removesuffix('_stderr')}"] = value
            elif what:
                found[f"{section}/{what}"] = value
    return found


def _place(family: str, key: str) -> tuple[str, str]:
    """The section and the name of a score; no name for one that another score already tells."""
    if family == "evaluate":
        return "benchmarks", key.replace("/", ".")
    if family == "perplexity":
        corpus, _, what = key.partition("/")
        return family, what.replace("perplexity", corpus, 1) if "loss" not in what else ""
    return family, key.replace("/", ".")
