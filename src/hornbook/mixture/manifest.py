"""The manifest of a mixture: what is there, what is drawn, how often."""

import math
from collections.abc import Mapping
from typing import Any

from hornbook.errors import ArtifactError, ConfigError
from hornbook.mixture.config import Variant
from hornbook.mixture.schedule import shares


def build(
    variant: str, settings: Variant, metas: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The manifest from `meta.json` of each corpus's token folder.

    Raises:
        ArtifactError: The corpora were encoded with different tokenizers.
        ConfigError: A source would be repeated more often than allowed.
    """
    tokenizers = {corpus: str(meta["tokenizer"]) for corpus, meta in metas.items()}
    if len(set(tokenizers.values())) != 1:
        found = ", ".join(f"{corpus} {sha[:12]}" for corpus, sha in sorted(tokenizers.items()))
        raise ArtifactError(
            f"mixture@{variant}: the corpora were encoded with different tokenizers ({found}); "
            f"run: dvc repro {' '.join(f'tokens@{corpus}' for corpus in sorted(metas))}"
        )
    portions = shares(settings.weights)
    sources: list[dict[str, Any]] = [
        {
            "corpus": corpus,
            "weight": settings.weights[corpus],
            "share": str(portion),
            "available_documents": metas[corpus]["splits"]["train"]["documents"],
            "available_tokens": metas[corpus]["splits"]["train"]["tokens"],
            "drawn_tokens": round(settings.budget_tokens * portion),
            "sha256": metas[corpus]["sha256"],
        }
        for corpus, portion in portions.items()
    ]
    for source in sources:
        available = source["available_tokens"]
        source["epochs"] = round(source["drawn_tokens"] / available, 4) if available else None
    refuse_impossible(variant, settings, sources)
    meta = metas[next(iter(portions))]
    return {
        "variant": variant,
        "budget_tokens": settings.budget_tokens,
        "max_epochs": settings.max_epochs,
        "order_seed": settings.order_seed,
        "vocab_size": meta["vocab_size"],
        "eos": meta["eos"],
        "tokenizer": meta["tokenizer"],
        "sources": sources,
    }


def refuse_impossible(variant: str, settings: Variant, sources: list[dict[str, Any]]) -> None:
    """Every source lasts for the budget.

    Raises:
        ConfigError: One does not; the message has the arithmetic of each that does not and the
            settings with which the mixture would be possible.
    """
    short = [s for s in sources if s["epochs"] is None or s["epochs"] > settings.max_epochs]
    if not short:
        return
    key = f"mixture.variants.{variant}"
    total = sum(settings.weights.values())
    lines = [
        f"  {s['corpus']}: {settings.budget_tokens:,} tokens x {s['share']} = "
        f"{s['drawn_tokens']:,}, of {s['available_tokens']:,} there: "
        + (f"{s['epochs']:.2f} epochs" if s["epochs"] is not None else "no number of epochs")
        for s in short
    ]
    possible = min(
        int(s["available_tokens"] * settings.max_epochs * total / s["weight"]) for s in short
    )
    remedies = [f"make more of {' and '.join(s['corpus'] for s in short)}"]
    if possible:
        needed = math.ceil(100 * max(s["epochs"] for s in short)) / 100
        remedies = [
            f"lower {key}.budget_tokens to {possible:,}",
            f"raise {key}.max_epochs to {needed:.2f}",
            f"change {key}.weights",
            *remedies,
        ]
    raise ConfigError(
        f"{key} is not possible within max_epochs={settings.max_epochs:g}:\n"
        + "\n".join(lines)
        + f"\n{', '.join(remedies[:-1])}{' or ' if len(remedies) > 1 else ''}{remedies[-1]}"
    )
