"""The model card of a variant: what it is, what it was trained on and how, and what it can do."""

from collections.abc import Mapping
from typing import Any

from hornbook.report.sheets import values_of
from hornbook.report.wording import amount

TOLD = ("architectures", "model_type", "num_hidden_layers", "hidden_size", "num_attention_heads",
        "intermediate_size", "max_position_embeddings", "vocab_size", "hidden_act",
        "partial_rotary_factor", "rope_theta", "layer_norm_eps", "initializer_range",
        "tie_word_embeddings", "torch_dtype")  # fmt: skip
USE = """Research on what training data does to a small language model: comparing it with the other
variants of this report, and tracing an answer back to the texts that it was trained on. Not for use
with people: it was not aligned or instructed, it invents, and nothing filters what it writes."""


def card(
    variant: str,
    *,
    tables: Mapping[str, Any],
    toxigen: Mapping[str, Any],
    red_team: Mapping[str, Any],
    config: Mapping[str, Any],
    mixture: Mapping[str, Any],
    training: Mapping[str, Any],
    recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """What the template of a card reads; `recipe` holds sections of params.yaml by name."""
    facts = next(row for row in tables["variants"] if row["variant"] == variant)
    return {
        "name": variant,
        "facts": facts,
        "architecture": [(key.replace("_", " "), _text(config[key])) for key in TOLD
                         if key in config],
        "context": config.get("max_position_embeddings"),
        "sources": _sources(mixture),
        "budget": mixture["budget_tokens"],
        "recipe": values_of(tuple(recipe), recipe),
        "training": training,
        "scores": _scores(tables, variant),
        "perplexity": [row for row in tables["perplexity"] if variant in row["cells"]],
        "safety": next((one for one in toxigen["variants"] if one["variant"] == variant), None),
        "groups": [row for row in toxigen["rows"] if row["variant"] == variant],
        "labels": next((one for one in red_team["rows"] if one["variant"] == variant), None),
        "use": USE,
        "limits": _limits(tables, variant, facts, config),
    }  # fmt: skip


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a config holds
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _sources(mixture: Mapping[str, Any]) -> list[dict[str, Any]]:
    total = sum(one["drawn_tokens"] for one in mixture["sources"]) or 1
    return [{"epochs": None, **one, "part": one["drawn_tokens"] / total}
            for one in mixture["sources"]]  # fmt: skip


def _scores(tables: Mapping[str, Any], variant: str) -> list[dict[str, Any]]:
    """The cells of a variant that have a value, micro-suites first."""
    rows = [*tables["micro"], *tables["further"]]
    found = [
        {"task": row["task"], "metric": row["metric"], "cell": row["cells"][variant]}
        for row in rows
        if variant in row["cells"]
    ]
    for table in tables["tables"].values():
        ours = next((r for r in table["rows"] if r["kind"] == "ours" and r["variant"] == variant),
                    None)  # fmt: skip
        if ours is None or table["unit"] == "mixed":
            continue
        found += [
            {
                "task": column["label"],
                "metric": column["metric"],
                "cell": ours["cells"][column["key"]],
            }
            for column in table["columns"]
        ]
    return [one for one in found if one["cell"]["value"] is not None]


def _limits(
    tables: Mapping[str, Any], variant: str, facts: Mapping[str, Any], config: Mapping[str, Any]
) -> list[str]:
    size, seen = amount(facts["parameters"]), amount(facts["budget_tokens"])
    found = [f"{size} parameters and {seen} tokens; what holds at this size need not at another."]
    if context := config.get("max_position_embeddings"):
        found.append(f"Reads {context:,} tokens; what stands before them is not seen.")
    scores = _scores(tables, variant)
    weak = [one for one in scores if "signal" in one["cell"] and not one["cell"]["signal"]]
    if weak:
        found.append(f"{len(weak)} of {len(scores)} scores are not above their floor.")
    found.append(
        "English text and Python; what its training text says wrongly or onesidedly, it says too."
    )
    return found
