"""Stage `book_answers`: the planned prompts, asked; every answer kept with what it is made of."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hornbook.artifacts import read_table, write_documents, write_table
from hornbook.books.config import Answers, Prompts
from hornbook.books.plan import Planned, planned, request
from hornbook.errors import TeacherError
from hornbook.stage import Run
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Teacher
from hornbook.teacher.requests import Answer

FIELDS = ("domain", "subject", "topic")
JUDGED = ("id", "topic_id", "letters", "prompt_tokens", "completion_tokens", "cost_usd")


def book_answers(run: Run) -> None:
    """Plan, ask, keep answers and failures apart; memory does not grow with the number of books.

    Raises:
        TeacherError: The teacher cannot be reached, or too many requests have no answer.
    """
    settings, teacher = run.section("books.answers", Answers), run.section("teacher", Teacher)
    prompts = run.section("books.prompts", Prompts)
    topics = read_table(run.input("artifacts/topics/seeds") / "topics.parquet").to_pylist()
    excerpts = read_table(run.input("artifacts/books/excerpts") / "excerpts.parquet").to_pylist()

    def plan() -> Iterator[Planned]:
        return planned(settings, prompts, topics, excerpts)

    answers = ask_all(run, teacher, lambda: (request(prompts, book) for book in plan()))
    kept = Kept()
    rows = kept.rows(zip(plan(), answers, strict=True), prompts.name)
    write_documents(run.out, rows, schema=kept.schema(), shard_rows=settings.shard_rows)
    kept.require_enough(settings.max_failed_share)
    kept.finish(run, settings, teacher.model)


class Kept:
    """Counts and the narrow columns of what passes by."""

    def __init__(self) -> None:
        self.judged: dict[str, list[Any]] = {name: [] for name in JUDGED}
        self.failed: list[dict[str, Any]] = []
        self.counts: dict[str, Counter[str]] = {
            n: Counter() for n in ("audience", "style", "domain")
        }
        self.with_words = self.with_excerpt = 0

    def rows(
        self, pairs: "Iterator[tuple[Planned, Answer]]", template: str
    ) -> Iterator[dict[str, Any]]:
        """A row for each answer; failures are kept aside."""
        for book, answer in pairs:
            if answer.failure:
                self.failed.append({"id": answer.request_hash, "topic_id": book.topic["topic_id"],
                                    "failure": answer.failure})  # fmt: skip
                continue
            row = _row(book, answer, template)
            for name, column in self.judged.items():
                column.append(len(row["text"]) if name == "letters" else row[name])
            for name, count in self.counts.items():
                count[row[name]] += 1
            self.with_words += bool(book.words)
            self.with_excerpt += book.excerpt is not None
            yield row

    @staticmethod
    def schema() -> Any:  # noqa: ANN401 - pyarrow is imported late
        """Types of the columns, so that an empty shard has them too."""
        import pyarrow as pa

        text = ("id", "text", "source", "topic_id", *FIELDS, "bloom", "audience", "style", "words",
                "excerpt_id", "template", "finish_reason")  # fmt: skip
        numbers = ("variation", "prompt_tokens", "completion_tokens")
        return pa.schema(
            [(name, pa.string()) for name in text]
            + [(name, pa.int64()) for name in numbers]
            + [("cost_usd", pa.float64())]
        )

    def require_enough(self, most: float) -> None:
        """Raise when so many answers are missing that the corpus would be another one."""
        total = len(self.failed) + len(self.judged["id"])
        if self.failed and len(self.failed) > most * total:
            kinds = dict(sorted(Counter(row["failure"] for row in self.failed).items()))
            raise TeacherError(
                f"{len(self.failed)} of {total} requests have no answer ({kinds}), more than "
                f"books.answers.max_failed_share={most:g}; the others are kept: run again to ask "
                f"for the missing ones"
            )

    def finish(self, run: Run, settings: Answers, model: str) -> None:
        """Gate, the list of failures, the summary."""
        import pandas as pd
        import pyarrow as pa

        frame = pd.DataFrame(self.judged)
        run.expect("answers", frame, settings.expectations, key="id")
        columns = [(name, pa.string()) for name in ("id", "topic_id", "failure")]
        table = pa.Table.from_pylist(self.failed, pa.schema(columns))
        write_table(run.out / "failures.parquet", table)
        run.summary(
            rows=len(frame),
            failures=len(self.failed),
            model=model,
            prompt_tokens=sum(self.judged["prompt_tokens"]),
            completion_tokens=sum(self.judged["completion_tokens"]),
            cost_usd=round(sum(self.judged["cost_usd"]), 6),
            with_words=self.with_words,
            with_excerpt=self.with_excerpt,
            **{f"by_{name}": dict(sorted(count.items())) for name, count in self.counts.items()},
        )


def _row(book: Planned, answer: Answer, template: str) -> dict[str, Any]:
    return {
        "id": answer.request_hash,
        "text": answer.text,
        "source": f"book/{book.topic['domain']}",
        "topic_id": book.topic["topic_id"],
        **{name: book.topic[name] for name in FIELDS},
        "bloom": book.topic["bloom"],
        "audience": book.audience,
        "style": book.style,
        "variation": book.variation,
        "words": ", ".join(book.words),
        "excerpt_id": book.excerpt["id"] if book.excerpt else "",
        "template": template,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "cost_usd": answer.cost_usd,
    }
