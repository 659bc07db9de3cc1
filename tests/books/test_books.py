"""From topics to textbooks: same bytes however they were asked for, and every drop has a reason."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hornbook.artifacts import read_json, read_table
from hornbook.books.answers import book_requests
from hornbook.books.config import Answers
from hornbook.errors import ConfigError, ExpectationError, TeacherError
from hornbook.teacher import ask
from tests.books.conftest import Workspace
from tests.made_run import conf, file_bytes
from tests.teacher_ask.faults import Fault, always, serving

Fresh = Callable[[], Workspace]


def test_topics_become_books_with_everything_counted(workspace: Workspace) -> None:
    topics = workspace.stage("topic_seeds")
    answers = workspace.stage("book_answers", concurrency=8)
    corpus = workspace.stage("synthetic_books")
    count = workspace.params["topics"]["count"]
    assert read_table(topics / "topics.parquet").num_rows == count
    summary = read_json(answers / "summary.json")
    assert (summary["rows"], summary["failures"]) == (count, 0)
    books = read_json(corpus / "summary.json")
    dropped = read_table(corpus / "dropped.parquet").num_rows
    assert books["documents"] + dropped == count
    assert sum(books["by_domain"].values()) == books["documents"] > 0.9 * count
    rows = read_table(corpus, ["text", "source", "domain"]).to_pylist()
    assert books["words"] == sum(len(row["text"].split()) for row in rows)
    assert all(row["source"] == f"book/{row['domain']}" for row in rows)


def test_answers_are_the_same_bytes_alone_at_sixteen_and_after_an_interruption(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "FIRST_WAIT_SECONDS", 0.01)

    def made(workspace: Workspace, **runtime: Any) -> dict[str, bytes]:
        return file_bytes(workspace.stage("book_answers", **runtime))

    one, many, cut = fresh(), fresh(), fresh()
    for workspace in (one, many, cut):
        workspace.stage("topic_seeds")
    expected = made(one, concurrency=1)
    with serving(lambda n, _: Fault(status=500 if n % 7 == 0 else 200, sleep=n % 3 / 500)) as flaky:
        assert made(many, concurrency=16, teacher_url=flaky.url) == expected
    with serving(lambda n, _: Fault(status=401 if n > 40 else 200)) as revoked:
        with pytest.raises(TeacherError, match="status_401"):
            made(cut, concurrency=16, teacher_url=revoked.url)
        bought = revoked.answered
    with serving() as server:
        assert made(cut, concurrency=16, teacher_url=server.url) == expected
        assert bought + server.answered == workspace.params["topics"]["count"]


def test_a_few_failures_are_recorded_and_many_stop_the_stage(fresh: Fresh) -> None:
    def refuse(share: int) -> Any:
        return lambda n, _: Fault(status=400 if n % share == share - 1 else 200)

    few, many = fresh(), fresh()
    few.stage("topic_seeds")
    many.stage("topic_seeds")
    with serving(refuse(120)) as server:
        answers = few.stage("book_answers", teacher_url=server.url)
    failed = read_table(answers / "failures.parquet").to_pylist()
    assert [row["failure"] for row in failed] == ["status_400"]
    assert failed[0]["id"] not in read_table(answers, ["id"])["id"].to_pylist()
    with (
        serving(refuse(40)) as server,
        pytest.raises(
            TeacherError,
            match=r"3 of 120 requests have no answer .*status_400.*max_failed_share=0.01",
        ),
    ):
        many.stage("book_answers", teacher_url=server.url)


def test_unusable_answers_are_dropped_under_their_reasons(workspace: Workspace) -> None:
    workspace.stage("topic_seeds")
    book = "Exercise: add. Answer: 2. " + "word " * 60

    def reply(text: str | None, reason: str = "stop") -> Fault:
        choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant",
                  "content": text}}  # fmt: skip
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return Fault(raw=json.dumps({"choices": [choice], "usage": usage}).encode())

    odd = [reply(None), reply(book, "length"), reply("I'm sorry, but no."), reply(book),
           reply(book), reply("word " * 60), reply(book + "\ndef f(:\n    pass\n")]  # fmt: skip
    with serving(lambda n, _: odd[n] if n < len(odd) else Fault()) as server:
        workspace.stage("book_answers", teacher_url=server.url)
    corpus = workspace.stage("synthetic_books")
    dropped = read_json(corpus / "summary.json")["dropped"]
    assert dropped.pop("exact_duplicate") >= 1
    assert dropped == {
        "code_does_not_parse": 1,
        "empty": 1,
        "refusal": 1,
        "structure_missing": 1,
        "truncated": 1,
    }
    excerpts = read_table(corpus / "dropped.parquet").to_pylist()
    assert {row["reason"]: row["excerpt"] for row in excerpts}["refusal"] == "I'm sorry, but no."


def test_a_corpus_that_breaks_its_expectations_is_not_written(workspace: Workspace) -> None:
    workspace.stage("topic_seeds")
    workspace.stage("book_answers", concurrency=8)
    workspace.params["books"]["corpus"]["expectations"] = [
        {"type": "expect_column_values_to_be_between",
         "kwargs": {"column": "words", "max_value": 60}}
    ]  # fmt: skip
    with pytest.raises(ExpectationError, match="words"):
        workspace.stage("synthetic_books")
    assert not (workspace.root / "artifacts" / "books" / "corpus").exists()


def test_no_request_is_the_same_as_another(workspace: Workspace) -> None:
    table = read_table(workspace.stage("topic_seeds") / "topics.parquet")
    settings = Answers(**(workspace.params["books"]["answers"] | {"variations": 3}))
    asked = book_requests(settings, table.to_pylist())
    texts = [request.messages for _, (request, _) in asked]
    assert len(asked) == 3 * table.num_rows == len(set(texts))


def test_a_prompt_with_an_unknown_field_names_the_known_ones(workspace: Workspace) -> None:
    workspace.stage("topic_seeds")
    workspace.params["books"]["answers"]["prompt"] = "Write about {title}"
    with pytest.raises(ConfigError, match=r"prompt.*'title'.*\{audience\}, \{domain\}"):
        workspace.stage("book_answers")


def test_an_unreachable_teacher_ends_the_stage_with_the_remedy(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "PATIENCE_SECONDS", {False: 0.1, True: 0.1})
    workspace.stage("topic_seeds")
    with serving(always(Fault())) as server:
        url = server.url
    with pytest.raises(TeacherError, match=r"cannot be reached.*HORNBOOK_TEACHER_URL"):
        workspace.stage("book_answers", teacher_url=url)
    assert not (workspace.root / "artifacts" / "books").exists()


def test_every_scale_asks_for_the_parts_that_quality_control_wants() -> None:
    for scale in ("smoke", "laptop", "paper"):
        books = conf("books", scale)
        fields = ("{domain}", "{subject}", "{topic}", "{audience}", "{style}", "{variation}")
        assert all(field in books["answers"]["prompt"] for field in fields), scale
        assert "answer" in books["answers"]["prompt"], scale
