"""The teacher's judgement of a seeded sample of documents."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table, shards, write_table
from hornbook.classifier.config import Annotations
from hornbook.classifier.replies import parse_score
from hornbook.errors import TeacherError
from hornbook.seeds import stream
from hornbook.stage import Run
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Teacher
from hornbook.teacher.requests import Message, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

END = "</document>"  # a document that says so itself would end early
HARMLESS_END = "</ document>"


def annotate(run: Run, corpus: Path, settings: Annotations, teacher: Teacher) -> None:
    """Ask about the sample; replies without a score from 0 to 5 are counted and left out.

    Raises:
        TeacherError: No reply could be read.
    """
    import pandas as pd
    import pyarrow as pa

    requests = list(_requests(chosen(run, corpus, settings), settings))
    rows: list[dict[str, Any]] = []
    prompt_tokens, completion_tokens, cost_usd = 0, 0, 0.0
    failures: Counter[str] = Counter()
    answers = ask_all(run, teacher, lambda: requests)
    for request, answer in zip(requests, answers, strict=True):
        prompt_tokens += answer.prompt_tokens
        completion_tokens += answer.completion_tokens
        cost_usd += answer.cost_usd
        score = None if answer.failure else parse_score(answer.text)
        if score is None:
            failures[answer.failure or "unreadable"] += 1
        else:
            rows.append({"id": request.key, "score": score[0], "reason": score[1]})
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


def chosen(run: Run, corpus: Path, settings: Annotations) -> dict[Path, "NDArray[np.int64]"]:
    """Places of the sampled documents in each shard; no document is read for it."""
    import numpy as np
    import pyarrow.parquet as pq

    parts = shards(corpus)
    ends = np.cumsum([pq.read_metadata(part).num_rows for part in parts])
    random = stream(settings.seed, "annotations", run.family)
    total = int(ends[-1])
    drawn = np.sort(random.choice(total, min(settings.sample, total), replace=False, shuffle=False))
    cuts = np.searchsorted(drawn, ends)
    starts = ends - np.diff(ends, prepend=0)
    pieces = zip(parts, starts, np.split(drawn, cuts[:-1]), strict=True)
    return {part: piece - start for part, start, piece in pieces if len(piece)}


def _requests(
    places: Mapping[Path, "NDArray[np.int64]"], settings: Annotations
) -> Iterator[Request]:
    """The questions in the order of the corpus, of which one shard is in memory at a time."""
    for part, rows in places.items():
        for row in read_table(part, ["id", "text"]).take(rows).to_pylist():
            yield _request(row, settings)


def _request(row: Mapping[str, Any], settings: Annotations) -> Request:
    shown = row["text"][: settings.characters].replace(END, HARMLESS_END)
    prompt = f"Task: educational value\n{settings.rubric}\n<document>\n{shown}\n{END}"
    return Request(row["id"], (Message("user", prompt),))
