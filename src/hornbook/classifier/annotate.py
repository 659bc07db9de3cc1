"""The teacher's judgement of a seeded sample of documents."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_table, write_table
from hornbook.classifier.config import Annotations
from hornbook.errors import TeacherError
from hornbook.seeds import stream
from hornbook.stage import Run
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Teacher
from hornbook.teacher.requests import Message, Request

OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def annotate(run: Run, corpus: Path, settings: Annotations, teacher: Teacher) -> None:
    """Ask about the sample; replies without a score from 0 to 5 are counted and left out.

    Raises:
        TeacherError: No reply could be read.
    """
    import pandas as pd
    import pyarrow as pa

    documents = read_table(corpus, ["id", "text"])
    chosen = stream(settings.seed, "annotations", run.family).permutation(documents.num_rows)
    sample = documents.take(sorted(chosen[: settings.sample].tolist())).to_pylist()
    requests = [_request(row, settings) for row in sample]
    rows: list[dict[str, Any]] = []
    prompt_tokens, completion_tokens, cost_usd = 0, 0, 0.0
    failures: Counter[str] = Counter()
    answers = ask_all(run, teacher, lambda: requests)
    for row, answer in zip(sample, answers, strict=True):
        prompt_tokens += answer.prompt_tokens
        completion_tokens += answer.completion_tokens
        cost_usd += answer.cost_usd
        score = None if answer.failure else parse_score(answer.text)
        if score is None:
            failures[answer.failure or "unreadable"] += 1
        else:
            rows.append({"id": row["id"], "score": score[0], "reason": score[1]})
    if not rows:
        raise TeacherError(
            f"{run.name}: none of {len(requests)} replies had a score from 0 to 5 "
            f"({dict(failures)}); does teacher.model={teacher.model!r} follow the rubric?"
        )
    run.expect("annotations", pd.DataFrame(rows), settings.expectations, key="id")
    write_table(run.out / "annotations.parquet", pa.Table.from_pylist(rows))
    run.summary(
        rows=len(rows),
        failures=dict(sorted(failures.items())),
        model=teacher.model,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost_usd=round(cost_usd, 6),
        mean_score=round(sum(row["score"] for row in rows) / len(rows), 4),
        by_score={str(k): v for k, v in sorted(Counter(row["score"] for row in rows).items())},
    )


def _request(row: dict[str, Any], settings: Annotations) -> Request:
    shown = row["text"][: settings.characters]
    prompt = f"Task: educational value\n{settings.rubric}\n<document>\n{shown}\n</document>"
    return Request(row["id"], (Message("user", prompt),))


def parse_score(text: str) -> tuple[int, str] | None:
    """Score and reason of a reply; None where it has no integer from 0 to 5."""
    found = OBJECT.search(text)
    try:
        value = json.loads(found.group(0)) if found else None
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    score = value.get("score")
    is_valid = isinstance(score, int) and not isinstance(score, bool) and 0 <= score <= 5
    return (score, str(value.get("reason", ""))) if isinstance(score, int) and is_valid else None
