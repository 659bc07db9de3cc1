"""Stage `book_answers`: one question per topic and variation, every answer kept with its cost."""

from collections import Counter
from typing import Any

from hornbook.artifacts import read_table, write_documents, write_table
from hornbook.books.config import Answers
from hornbook.errors import ConfigError, TeacherError
from hornbook.stage import Run
from hornbook.teacher.ask import Answer, Message, Request, ask_all
from hornbook.teacher.config import Teacher

FIELDS = ("domain", "subject", "topic", "audience", "style")


def book_answers(run: Run) -> None:
    """Build the prompts, ask, keep answers and failures apart.

    Raises:
        TeacherError: The teacher cannot be reached, or too many requests have no answer.
    """
    import pandas as pd
    import pyarrow as pa

    settings, teacher = run.section("books.answers", Answers), run.section("teacher", Teacher)
    topics = read_table(run.input("artifacts/topics") / "topics.parquet").to_pylist()
    asked = dict(book_requests(settings, topics))
    requests = [request for request, _ in asked.values()]
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for answer in ask_all(run, teacher, requests):
        topic = asked[answer.key][1]
        if answer.failure:
            failed.append({"id": answer.request_hash, "topic_id": topic["topic_id"],
                           "failure": answer.failure})  # fmt: skip
        else:
            rows.append(_row(answer, topic))
    _require_enough(failed, len(requests), settings.max_failed_share)
    rows = list({row["id"]: row for row in rows}.values())
    run.expect("answers", pd.DataFrame(rows), settings.expectations, key="id")
    write_documents(run.out, rows)
    columns = [("id", pa.string()), ("topic_id", pa.string()), ("failure", pa.string())]
    write_table(run.out / "failures.parquet", pa.Table.from_pylist(failed, pa.schema(columns)))
    run.summary(
        rows=len(rows),
        failures=len(failed),
        model=teacher.model,
        prompt_tokens=sum(row["prompt_tokens"] for row in rows),
        completion_tokens=sum(row["completion_tokens"] for row in rows),
        cost_usd=round(sum(row["cost_usd"] for row in rows), 6),
    )


def book_requests(
    settings: Answers, topics: list[dict[str, Any]]
) -> "list[tuple[str, tuple[Request, dict[str, Any]]]]":
    """A request per topic and variation, by its key.

    Raises:
        ConfigError: The prompt names a field that topics do not have.
    """
    found: list[tuple[str, tuple[Request, dict[str, Any]]]] = []
    for topic in topics:
        for variation in range(settings.variations):
            number = topic["repeat"] * settings.variations + variation
            values = {name: topic[name] for name in FIELDS} | {"variation": number}
            key = f"{topic['topic_id']}/{variation}"
            messages = (
                Message("system", settings.system),
                Message("user", _prompt(settings.prompt, values)),
            )
            found.append((key, (Request(key, messages), topic)))
    return found


def _prompt(template: str, values: dict[str, Any]) -> str:
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(
            f"books.answers.prompt cannot be filled in ({type(error).__name__}: {error}); its "
            f"fields are {{{'}, {'.join(sorted(values))}}}, and a brace that is text is doubled"
        ) from error


def _require_enough(failed: list[dict[str, Any]], total: int, most: float) -> None:
    """Raise when so many answers are missing that the corpus would be another one."""
    if failed and len(failed) > most * total:
        kinds = dict(sorted(Counter(row["failure"] for row in failed).items()))
        raise TeacherError(
            f"{len(failed)} of {total} requests have no answer ({kinds}), more than "
            f"books.answers.max_failed_share={most:g}; the others are kept: run again to ask for "
            f"the missing ones"
        )


def _row(answer: Answer, topic: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": answer.request_hash,
        "text": answer.text,
        "source": f"book/{topic['domain']}",
        "topic_id": topic["topic_id"],
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "cost_usd": answer.cost_usd,
    } | {name: topic[name] for name in FIELDS}
