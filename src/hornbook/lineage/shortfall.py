"""Mixtures that a run would refuse at its end, known before it: too few tokens of a corpus."""

from collections.abc import Iterable, Mapping
from typing import Any

from hornbook.errors import ConfigError
from hornbook.lineage.manifest import Graph, LockEntry
from hornbook.lineage.reading import remembered
from hornbook.lineage.volume import TEACHER, Volumes, value_at


def shortfalls(graph: Graph, lock: Mapping[str, LockEntry], names: Iterable[str]) -> list[str]:
    """Lines for each mixture among `names` that has not the tokens that conf asks for.

    Asked is the stage's own arithmetic, with what is recorded of a corpus times what the run makes
    more of it; nobody knows how long the answers of another teacher are.
    """
    volumes, lines = Volumes(graph, lock), list[str]()
    for name in names:
        family, _, variant = name.partition("@")
        if family == "mixture" and (told := _refusal(graph, volumes, variant)):
            lines += [f"{name} would be refused, by the tokens that are known now:", *told]
    return lines


def _refusal(graph: Graph, volumes: Volumes, variant: str) -> list[str]:
    """What the stage would say of each corpus; nothing where it would not refuse."""
    from pydantic import TypeAdapter, ValidationError

    from hornbook.mixture.config import Variant
    from hornbook.mixture.manifest import amounts, refuse_impossible

    try:
        asked = value_at(graph.params, f"mixture.variants.{variant}")
        settings = TypeAdapter(Variant).validate_python(asked)
    except ValidationError:
        return []  # the stage says it better
    there: dict[str, int] = {}
    for corpus, source in settings.sources.items():
        known = _available(graph, volumes, corpus)
        known = source.tokens if known is None else known
        if not known:
            return []
        there[corpus] = known
    used = {one: min(settings.sources[one].tokens or n, n) for one, n in there.items()}
    try:
        portions, budget = amounts(settings, used)
        sources: list[dict[str, Any]] = [
            {
                "corpus": corpus,
                "share": str(portion),
                "available_tokens": there[corpus],
                "tokens": settings.sources[corpus].tokens,
                "drawn_tokens": round(budget * portion),
                "epochs": round(budget * portion) / used[corpus],
            }
            for corpus, portion in portions.items()
        ]
        refuse_impossible(variant, settings, sources, budget)
    except ConfigError as error:
        return [line for line in str(error).splitlines() if line.startswith("  ")]
    return []


def _available(graph: Graph, volumes: Volumes, corpus: str) -> int | None:
    """Tokens of a corpus to train on; None where nothing tells how many it will be."""
    made = graph.stages.get(f"tokens@{corpus}")
    if made is None:
        return None
    was = value_at(volumes.recorded("book_answers")[0], TEACHER)
    if corpus == "books" and was != value_at(graph.params, TEACHER):
        return None
    told = value_at(remembered(graph.root / made.out / "summary.json"), "splits.train.tokens")
    return round(told * volumes.growth(made.name)) if isinstance(told, int) else None
