"""Stage `synthetic_books`: answers that passed quality control."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from hornbook.artifacts import read_documents, read_table, write_documents
from hornbook.books.code import runnable
from hornbook.books.config import Corpus, Programs
from hornbook.books.quality import Answered, Reason, judge
from hornbook.sandbox.sandbox import Program, missing, run_programs
from hornbook.seeds import stream
from hornbook.stage import Run
from hornbook.teacher.procedural import MODEL

DROPPED = pa.schema([(name, pa.string()) for name in ("id", "source", "reason", "excerpt")])
TEXTS = ("id", "text", "source", "topic_id", "domain", "subject", "topic", "bloom", "audience",
         "style", "words", "excerpt_id", "template")  # fmt: skip
BOOKS = pa.schema(
    [(name, pa.string()) for name in TEXTS] + [(n, pa.int64()) for n in ("variation", "num_words")]
)
AT_ONCE = 64  # programs between two looks at the progress


def synthetic_books(run: Run) -> None:
    """Judge every answer, drop exact repeats, keep the rest with what was dropped and why."""
    import pandas as pd

    rules = run.section("books.corpus", Corpus)
    model = run.section("teacher.model", str)
    answers = run.input("artifacts/books/answers")
    failing, told = run_sample(run, rules.programs, model)
    control = Control(rules, failing)
    write_documents(run.out, control.books(read_documents(answers)), schema=BOOKS,
                    shard_rows=rules.shard_rows)  # fmt: skip
    run.expect("books", pd.DataFrame(control.judged), rules.expectations, key="id")
    write_documents(run.out, control.dropped, schema=DROPPED, prefix="dropped")
    kept, dropped = len(control.judged), len(control.dropped)
    run.summary(
        rows=kept,
        words=sum(row["words"] for row in control.judged),
        kept_share=round(kept / max(kept + dropped, 1), 6),
        dropped=dict(sorted(Counter(row["reason"] for row in control.dropped).items())),
        by_domain=dict(sorted(Counter(row["domain"] for row in control.judged).items())),
        by_style=dict(sorted(Counter(row["style"] for row in control.judged).items())),
        **told,
    )


class Control:
    """Quality control over a stream of answers; keeps digests and counts, no text."""

    def __init__(self, rules: Corpus, failing: frozenset[str]) -> None:
        self.rules, self.failing = rules, failing
        self.judged: list[dict[str, Any]] = []
        self.dropped: list[dict[str, Any]] = []
        self._seen: set[str] = set()

    def books(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The rows that are books."""
        for row in rows:
            text = row["text"]
            digest = hashlib.sha256(" ".join(text.lower().split()).encode()).hexdigest()[:16]
            reason = self._reason(row, digest)
            if reason is not None:
                self.dropped.append({"id": row["id"], "source": row["source"], "reason": reason,
                                     "excerpt": text[:200]})  # fmt: skip
                continue
            self._seen.add(digest)
            words = len(text.split())
            narrow = {name: row[name] for name in ("id", "domain", "style")}
            self.judged.append(narrow | {"digest": digest, "words": words})
            wide = {name: row[name] for name in TEXTS}
            yield wide | {"variation": row["variation"], "num_words": words}

    def _reason(self, row: dict[str, Any], digest: str) -> Reason | None:
        broken = judge(Answered(row["text"], row["finish_reason"], row["words"]), self.rules)
        if broken is None and row["id"] in self.failing:
            return "code_fails"
        return "exact_duplicate" if broken is None and digest in self._seen else broken


def run_sample(run: Run, settings: Programs, model: str) -> tuple[frozenset[str], dict[str, Any]]:
    """The books of a seeded sample whose programs fail, and what the summary says about it.

    The embedded teacher's programs are ours and run under limits alone; a model's run in the
    sandbox, and where there is none they are not run.
    """
    limits = settings.sandbox
    if model == MODEL and settings.own_in_rlimit:
        limits = replace(limits, mode="rlimit")
    if limits.mode == "bubblewrap" and (why := missing()) is not None:
        run.log(f"programs are not run: {why}")
        return frozenset(), {"programs_not_run": why}
    chosen = _sample(run, settings)
    failing: set[str] = set()
    with run.progress(len(chosen), "books", "running programs") as bar:
        for start in range(0, len(chosen), AT_ONCE):
            part = chosen[start : start + AT_ONCE]
            verdicts = run_programs(
                [Program(code) for _, code in part], limits, run.runtime.workers
            )
            failing |= {
                id_ for (id_, _), verdict in zip(part, verdicts, strict=True)
                if verdict.outcome != "passed"
            }  # fmt: skip
            bar.advance(len(part))
    told = {
        "programs_run": len(chosen),
        "programs_failed": len(failing),
        "programs_in": limits.mode,
    }
    return frozenset(failing), told


def _sample(run: Run, settings: Programs) -> list[tuple[str, str]]:
    """Books with Python, at most `settings.sample` of them, in the order of the corpus."""
    folder = run.input("artifacts/books/answers")
    ids = read_table(folder, ["id"])["id"].to_pylist()
    order = stream(settings.seed, "programs").permutation(len(ids)).tolist()
    rank = {ids[index]: place for place, index in enumerate(order)}
    found: list[tuple[int, str, str]] = []
    for row in read_documents(folder, ["id", "text"]):
        # most books without Python are told by a glance
        if "def " in row["text"] or "```" in row["text"]:
            code = runnable(row["text"])
            if code is not None:
                found.append((rank[row["id"]], row["id"], code))
        if len(found) > 2 * settings.sample:
            found = sorted(found)[: settings.sample]
    return [(id_, code) for _, id_, code in sorted(found)[: settings.sample]]
