"""Mixtures that a run would refuse at its end, known before it: too few tokens of a corpus."""

from collections.abc import Iterable, Mapping
from typing import Any

from hornbook.lineage.manifest import Graph, LockEntry
from hornbook.lineage.reading import remembered
from hornbook.lineage.volume import Volumes, value_at

# a teacher of longer answers, or a threshold, may make several times as many; not ten
TOO_FEW = 10


def shortfalls(graph: Graph, lock: Mapping[str, LockEntry], names: Iterable[str]) -> list[str]:
    """A line for each mixture among `names` that declares far more of a corpus than there will be.

    What there will be is what is recorded, times what the run makes more of it.
    """
    volumes, lines = Volumes(graph, lock), list[str]()
    for name in names:
        family, _, variant = name.partition("@")
        if family != "mixture":
            continue
        key = f"mixture.variants.{variant}.sources"
        sources: Mapping[str, Any] = value_at(graph.params, key) or {}
        lacking = [
            f"{corpus}.tokens is {declared:,}, of which {_place(corpus)} gives about {there:,.0f}"
            for corpus, settings in sources.items()
            if (declared := settings.get("tokens")) is not None
            and (there := _there(graph, volumes, corpus)) is not None
            and declared > TOO_FEW * there
        ]
        if lacking:
            lines.append(f"{name} would be refused: in {key} {'; '.join(lacking)}")
    return lines


def _there(graph: Graph, volumes: Volumes, corpus: str) -> float | None:
    """Tokens of a corpus to train on; None where none were ever made."""
    made = graph.stages.get(f"tokens@{corpus}")
    if made is None:
        return None
    told = value_at(remembered(graph.root / made.out / "summary.json"), "splits.train.tokens")
    return told * volumes.growth(made.name) if isinstance(told, int) else None


def _place(corpus: str) -> str:
    """The setting that more tokens of a corpus come from."""
    return "books.answers.count" if corpus == "books" else f"data.{corpus}"
