"""The manifest of a mixture: what is there, what is drawn, how often."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from hornbook.errors import ArtifactError, ConfigError
from hornbook.mixture.config import Variant
from hornbook.mixture.schedule import rounded_shares, shares


def build(
    variant: str, settings: Variant, metas: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The manifest from `meta.json` of each corpus's token folder.

    Raises:
        ArtifactError: The corpora were encoded with different tokenizers.
        ConfigError: More tokens are declared than there are, or a source would be repeated more
            often than allowed.
    """
    tokenizers = {corpus: str(meta["tokenizer"]) for corpus, meta in metas.items()}
    if len(set(tokenizers.values())) != 1:
        found = ", ".join(f"{corpus} {sha[:12]}" for corpus, sha in sorted(tokenizers.items()))
        raise ArtifactError(
            f"mixture@{variant}: the corpora were encoded with different tokenizers ({found}); "
            f"run: dvc repro {' '.join(f'tokens@{corpus}' for corpus in sorted(metas))}"
        )
    trained = {corpus: metas[corpus]["splits"]["train"] for corpus in sorted(settings.sources)}
    used = {
        corpus: min(settings.sources[corpus].tokens or there["tokens"], there["tokens"])
        for corpus, there in trained.items()
    }
    portions, budget = amounts(settings, used)
    sources: list[dict[str, Any]] = [
        {
            "corpus": corpus,
            "weight": portion.numerator * (_common(portions) // portion.denominator),
            "share": str(portion),
            "available_documents": trained[corpus]["documents"],
            "available_tokens": trained[corpus]["tokens"],
            "tokens": settings.sources[corpus].tokens,
            "drawn_tokens": round(budget * portion),
            "epochs": _epochs(round(budget * portion), used[corpus]),
            "sha256": metas[corpus]["sha256"],
        }
        for corpus, portion in portions.items()
    ]
    refuse_impossible(variant, settings, sources, budget)
    meta = metas[next(iter(portions))]
    return {
        "variant": variant,
        "budget_tokens": budget,
        "max_epochs": settings.max_epochs,
        "order_seed": settings.order_seed,
        "vocab_size": meta["vocab_size"],
        "eos": meta["eos"],
        "tokenizer": meta["tokenizer"],
        "sources": sources,
    }


def amounts(settings: Variant, used: Mapping[str, int]) -> tuple[dict[str, Fraction], int]:
    """Each source's share of what is drawn, and how many tokens that is in all.

    Weights give the shares exactly. Epochs of so many tokens give them rounded to what a period
    of the schedule can hold.
    """
    if settings.budget_tokens is not None:
        weights = {name: source.weight or 0.0 for name, source in settings.sources.items()}
        return shares(weights), settings.budget_tokens
    drawn = {
        name: round((source.tokens or used[name]) * Fraction(repr(source.epochs)))
        for name, source in settings.sources.items()
    }
    return rounded_shares(drawn), sum(drawn.values())


def _common(portions: Mapping[str, Fraction]) -> int:
    return math.lcm(*(portion.denominator for portion in portions.values()))


def _epochs(drawn: int, used: int) -> float | None:
    return round(drawn / used, 4) if used else None


def refuse_impossible(
    variant: str, settings: Variant, sources: Sequence[Mapping[str, Any]], budget: int
) -> None:
    """Every source has the tokens that are declared and lasts for what is drawn.

    Raises:
        ConfigError: One does not; the message has the arithmetic of each that does not and the
            settings with which the mixture would be possible.
    """
    key = f"mixture.variants.{variant}"
    lines: list[str] = []
    remedies: list[str] = []
    lacking = [s for s in sources if (s["tokens"] or 0) > s["available_tokens"]]
    for source in lacking:
        epochs = settings.sources[source["corpus"]].epochs
        times = f" x {epochs:g} epochs = {round(source['tokens'] * epochs):,}" if epochs else ""
        missing = source["tokens"] - source["available_tokens"]
        lines.append(
            f"  {source['corpus']}: {source['tokens']:,} tokens{times}, of "
            f"{source['available_tokens']:,} there: {missing:,} are missing"
        )
        if source["available_tokens"]:
            remedies.append(
                f"lower {key}.sources.{source['corpus']}.tokens to {source['available_tokens']:,}"
            )
    # what epochs give is rounded to a period; that they are allowed the schema has seen
    most = settings.max_epochs if settings.is_weighted else math.inf
    short = [s for s in sources if s["epochs"] is None or s["epochs"] > most]
    lines += [
        f"  {s['corpus']}: {budget:,} tokens x {s['share']} = {s['drawn_tokens']:,}, {_of(s)}: "
        + (f"{s['epochs']:.2f} epochs" if s["epochs"] is not None else "no number of epochs")
        for s in short
    ]
    if short and all(s["epochs"] is not None for s in short):
        remedies += _lasting(key, settings, short)
    if not lines:
        return
    names = sorted({source["corpus"] for source in [*lacking, *short]})
    remedies.append(f"make more of {' and '.join(names)}")
    raise ConfigError(
        f"{key} is not possible within max_epochs={settings.max_epochs:g}:\n"
        + "\n".join(lines)
        + f"\n{', '.join(remedies[:-1])}{' or ' if len(remedies) > 1 else ''}{remedies[-1]}"
    )


def _of(source: Mapping[str, Any]) -> str:
    """How many tokens there are to draw from."""
    there = f"{source['available_tokens']:,} there"
    if source["tokens"] and source["tokens"] < source["available_tokens"]:
        return f"of {source['tokens']:,} used of {there}"
    return f"of {there}"


def _lasting(key: str, settings: Variant, short: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings with which the sources that are too short would last."""
    used = {
        s["corpus"]: min(s["tokens"] or s["available_tokens"], s["available_tokens"]) for s in short
    }
    possible = min(
        math.floor(used[s["corpus"]] * Fraction(repr(settings.max_epochs)) / Fraction(s["share"]))
        for s in short
    )
    needed = math.ceil(100 * max(s["epochs"] for s in short)) / 100
    limited = [s for s in short if s["tokens"] and s["tokens"] < s["available_tokens"]]
    return [
        f"lower {key}.budget_tokens to {possible:,}",
        f"raise {key}.max_epochs to {needed:.2f}",
        *(f"raise {key}.sources.{s['corpus']}.tokens" for s in limited),
        f"change the weights of {key}.sources",
    ]
