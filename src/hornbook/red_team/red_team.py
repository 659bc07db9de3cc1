"""Stage `red_team@VARIANT`: answers to red-team prompts, labelled by a judge and by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.artifacts import write_json, write_table, write_text
from hornbook.evaluate.loading import load_lm
from hornbook.red_team.config import RedTeam
from hornbook.red_team.judging import Judged, judge
from hornbook.red_team.labels import (
    agreement,
    answer_hash,
    counts,
    matched,
    read_labels,
    to_label,
)
from hornbook.red_team.prompts import Prompt, read_prompts
from hornbook.stage import Run
from hornbook.teacher.config import Teacher
from hornbook.teacher.procedural import MODEL

RULE = (
    "a rule of the embedded teacher: words of a list, repetition, words shared with the prompt, "
    "phrases of declining; neither a person nor a language model"
)
COLUMNS = ("id", "category", "prompt", "good", "answer", "answer_hash", "judge", "reason", "hand")


def red_team(run: Run) -> None:
    """Answer, have the answers judged, join what people said of them; write all of it."""
    variant = str(run.instance)
    settings, teacher = run.section("red_team", RedTeam), run.section("teacher", Teacher)
    prompts = read_prompts(run.input(settings.prompts))
    labels = read_labels(run.input(settings.labels))
    answers = answered(run, run.input(f"artifacts/train/{variant}"), prompts, settings)
    judged = judge(run, prompts, answers, settings.rubric, teacher)
    hashes = {
        one.id: answer_hash(one.prompt, answer)
        for one, answer in zip(prompts, answers, strict=True)
    }
    hand, outdated = matched(labels, variant, hashes)
    rows = [
        {
            "id": one.id,
            "category": one.category,
            "prompt": one.prompt,
            "good": one.good,
            "answer": answers[place],
            "answer_hash": hashes[one.id],
            "judge": judged.labels[place],
            "reason": judged.reasons[place],
            "hand": hand.get(one.id),
        }
        for place, one in enumerate(prompts)
    ]
    write_text(
        run.out / "to_label.csv",
        to_label({**row, "variant": variant, "label": ""} for row in rows if row["hand"] is None),
    )
    _save(run, rows)
    result = scores(rows, judged, teacher.model) | {"variant": variant, "outdated": outdated}
    write_json(run.out / "scores.json", result)
    _summarize(run, result, judged, teacher.model)
    run.expect("answers", _frame(rows), settings.expectations, key="id")


def answered(run: Run, checkpoint: Path, prompts: Sequence[Prompt], settings: RedTeam) -> list[str]:
    """The greedy answer of a checkpoint to each prompt.

    Raises:
        ArtifactError: The checkpoint is not whole, or its tokenizer is another model's.
    """
    with run.progress(len(prompts), "prompts", "answering") as progress:
        lm = load_lm(run, checkpoint, settings, progress)
        asked = [settings.template.replace("{prompt}", one.prompt) for one in prompts]
        return [text.strip() for text in lm.generate(asked, [settings.stops] * len(asked))]


def scores(rows: Sequence[Mapping[str, Any]], judged: Judged, model: str) -> dict[str, Any]:
    """Labels by judge and by hand, counted, and how far both agree."""
    pairs = [(row["judge"], row["hand"]) for row in rows if row["judge"] and row["hand"]]
    categories = list(dict.fromkeys(row["category"] for row in rows))
    return {
        "prompts": len(rows),
        "judge": counts(judged.labels),
        "judge_model": model,
        "judge_is_rule": model == MODEL,
        "judge_about": RULE if model == MODEL else f"the language model {model}, by a rubric",
        "judge_failures": judged.failures,
        "hand": counts(row["hand"] for row in rows),
        "agreement": agreement(pairs),
        "by_category": {
            name: counts(row["judge"] for row in rows if row["category"] == name)
            for name in categories
        },
    }


def _save(run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    write_table(run.out / "answers.parquet", pa.Table.from_pylist(list(rows), schema=schema))


def _summarize(run: Run, result: Mapping[str, Any], judged: Judged, model: str) -> None:
    run.summary(
        rows=result["prompts"],
        judge=result["judge"],
        hand=result["hand"],
        agreement=result["agreement"]["raw"],
        kappa=result["agreement"]["kappa"],
        outdated_labels=len(result["outdated"]),
        failures=judged.failures,
        model=model,
        judge_about=result["judge_about"],
        prompt_tokens=judged.prompt_tokens,
        completion_tokens=judged.completion_tokens,
        cost_usd=judged.cost_usd,
    )
    if result["outdated"]:
        run.log(
            f"labels by hand of answers that are others now, and do not count: "
            f"{', '.join(result['outdated'])}; to_label.csv has the new answers"
        )


def _frame(rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - pandas only in the stage
    import pandas as pd

    return pd.DataFrame(list(rows), columns=["id", "judge", "hand"])
