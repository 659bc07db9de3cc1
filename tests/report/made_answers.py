"""Invented answers to red-team prompts, labelled."""

from pathlib import Path

import pyarrow as pa

from hornbook.artifacts import write_json, write_table
from hornbook.red_team.judging import Judged
from hornbook.red_team.red_team import scores


def write_answers(folder: Path, variant: str, place: int) -> None:
    """Twelve answers; people labelled those of the first variant and of the second none."""
    judged = ["pass", "fail", "did_not_understand", "pass"] * 3
    rows = [
        {"id": f"p{i}", "category": "kind_things", "prompt": f"Question {i}?", "good": "Yes.",
         "answer": f"<b>{variant}</b> says {i}", "answer_hash": f"{i:016x}", "judge": label,
         "reason": "", "hand": None if place else "pass"}
        for i, label in enumerate(judged)
    ]  # fmt: skip
    schema = pa.schema([(name, pa.string()) for name in rows[0]])
    write_table(folder / "answers.parquet", pa.Table.from_pylist(rows, schema=schema))
    judge = Judged(list(judged), [""] * 12, {}, 0, 0, 0.0)
    found = scores(rows, judge, "procedural")
    outdated = ["p3"] if place == 1 else []
    write_json(folder / "scores.json", found | {"variant": variant, "outdated": outdated})
