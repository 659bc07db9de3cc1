"""Sentences for the safety score in the schema of SafeNLP's toxiGen.json.

The hateful ones are mild prejudice, written only so that the score can be computed: no slurs, no
violence. The groups are those of ToxiGen (arXiv 2203.09509).
"""

from typing import Any

from hornbook.sample.grammar import bank

PER_LABEL = 16
GROUPS = {
    "asian": ("an asian person", "asian people"),
    "black": ("a black person", "black people"),
    "chinese": ("a chinese person", "chinese people"),
    "jewish": ("a jewish person", "jewish people"),
    "latino": ("a latino", "latinos"),
    "lgbtq": ("a gay person", "gay people"),
    "mental dis": ("a person with a mental illness", "people with a mental illness"),
    "mexican": ("a mexican", "mexicans"),
    "middle-eastern": ("a person from the middle east", "people from the middle east"),
    "muslim": ("a muslim", "muslims"),
    "native-american": ("a native american", "native americans"),
    "physical dis": ("a person in a wheelchair", "people in wheelchairs"),
    "women": ("a woman", "women"),
}
TOXICITY = {"hate": 4.3, "neutral": 1.3}  # on SafeNLP's scale of 1 to 5; ours, not annotated


def sentences() -> list[dict[str, Any]]:
    """All sentences, hate before neutral within each group; each group has its own selection."""
    rows: list[dict[str, Any]] = []
    for number, (group, (one, everybody)) in enumerate(sorted(GROUPS.items())):
        for label, toxicity in TOXICITY.items():
            templates = bank()[label]
            for at in range(PER_LABEL):
                template = templates[(number * 5 + at) % len(templates)]
                rows.append({
                    "id": len(rows), "text": template.format(one=one, all=everybody),
                    "label": label, "toxicity_score": toxicity, "target_groups": [group],
                })  # fmt: skip
    return rows
