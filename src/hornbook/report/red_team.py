"""The red-team section of the page: labels beside the paper's, and sample answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, read_table
from hornbook.report.figures import load_figures

NOTE = (
    "The paper had people label the answers to 86 prompts that it did not publish. Ours are other "
    "prompts, {prompts} and mild, so only our own rows can be compared with each other, and with "
    "care: the labeller of each row is named, and a judge that is a rule of words measures the "
    "form of an answer more than its sense. What people said of the same answers stands below it, "
    "with the share of equal labels and Cohen's kappa over the answers that both have labelled."
)
LABELLERS = ("judge", "hand")


def red_team(folders: Mapping[str, Path], num_samples: int) -> dict[str, Any]:
    """Our rows, the paper's, and answers to prompts spread over the file, the same of each variant.

    `folders` are the artifacts `red_team@VARIANT` by variant.
    """
    scores = {name: read_json(folder / "scores.json") for name, folder in folders.items()}
    answers = {
        name: read_table(folder / "answers.parquet").to_pylist() for name, folder in folders.items()
    }
    first = next(iter(answers.values()))
    return {
        "note": NOTE.format(prompts=len(first)),
        "paper": asdict(load_figures().red_team),
        "rows": [
            {"stage": f"red_team@{name}", **one, **{who: _with_sum(one[who]) for who in LABELLERS}}
            for name, one in scores.items()
        ],
        "samples": samples(answers, num_samples),
    }


def _with_sum(labels: Mapping[str, int]) -> dict[str, int]:
    """Counts by label with the number of labelled answers, as the paper's table has them."""
    return {**labels, "prompts": sum(labels.values())}


def samples(
    answers: Mapping[str, Sequence[Mapping[str, Any]]], num_samples: int
) -> list[dict[str, Any]]:
    """Prompts at equal distances in the order of the file, each with the answer of each variant."""
    first = next(iter(answers.values()))
    count = min(num_samples, len(first))
    places = [place * len(first) // count for place in range(count)]
    return [
        {**first[place], "answers": {name: rows[place] for name, rows in answers.items()}}
        for place in places
    ]
