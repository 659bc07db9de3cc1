"""From topics to textbooks: same bytes however they were asked for, and every drop has a reason."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hornbook.artifacts import read_json, read_table
from hornbook.books import corpus
from hornbook.books.config import Diversity
from hornbook.books.diversity import measure
from hornbook.errors import ExpectationError, InputError, TeacherError
from hornbook.teacher import ask, endpoints
from tests.books.conftest import Workspace
from tests.made_run import conf, file_bytes
from tests.teacher_ask.faults import Fault, always, serving

Fresh = Callable[[], Workspace]


def completion(text: str | None, reason: str = "stop") -> Fault:
    """A reply of a model that says this."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": reason, "message": message}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return Fault(raw=json.dumps({"choices": [choice], "usage": usage}).encode())


def test_topics_become_books_with_everything_counted(workspace: Workspace) -> None:
    workspace.prepare()
    answers = workspace.stage("book_answers", concurrency=8)
    books_made = workspace.stage("synthetic_books")
    count = workspace.params["books"]["answers"]["count"]
    summary = read_json(answers / "summary.json")
    assert (summary["rows"], summary["failures"]) == (count, 0)
    books = read_json(books_made / "summary.json")
    dropped = read_table(books_made / "dropped-00000.parquet").num_rows
    assert books["rows"] + dropped == count
    assert sum(books["by_domain"].values()) == sum(books["by_style"].values()) == books["rows"]
    assert books["rows"] > 0.9 * count
    assert (books["programs_run"], books["programs_in"]) == (4, "rlimit")
    rows = read_table(books_made).to_pylist()
    assert books["words"] == sum(len(row["text"].split()) for row in rows)
    assert all(row["source"] == f"book/{row['domain']}" for row in rows)


def test_each_book_records_what_its_prompt_was_made_of(workspace: Workspace) -> None:
    workspace.params["books"]["prompts"]["words"]["share"] = 1.0
    workspace.params["books"]["prompts"]["excerpt"]["share"] = 0.5
    excerpts = read_table(workspace.prepare().root / "artifacts/books/excerpts/excerpts.parquet")
    rows = read_table(workspace.stage("book_answers")).to_pylist()
    summary = read_json(workspace.root / "artifacts/books/answers/summary.json")
    assert {row["excerpt_id"] for row in rows} - {""} <= set(excerpts["id"].to_pylist())
    assert 0.3 * len(rows) < summary["with_excerpt"] < 0.7 * len(rows)
    with_words = [row for row in rows if row["words"]]
    assert summary["with_words"] == len(with_words) > 0
    fit = conf("books")["prompts"]["words"]
    assert {row["style"] for row in with_words} <= set(fit["styles"])
    for row in with_words:
        assert all(word in row["text"] for word in row["words"].split(", ")), row
    assert {row["template"] for row in rows} == {"lessons"}


def test_answers_are_the_same_bytes_alone_at_sixteen_and_after_an_interruption(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(endpoints, "FIRST_REST_SECONDS", 0.01)

    def made(workspace: Workspace, **runtime: Any) -> dict[str, bytes]:
        return file_bytes(workspace.stage("book_answers", **runtime))

    one, many, cut = fresh(), fresh(), fresh()
    for workspace in (one, many, cut):
        workspace.prepare()
    expected = made(one, concurrency=1)
    with serving(lambda n, _: Fault(status=500 if n % 7 == 0 else 200, sleep=n % 3 / 500)) as flaky:
        assert made(many, concurrency=16, teacher_url=flaky.url) == expected
    with serving(lambda n, _: Fault(status=401 if n > 40 else 200)) as revoked:
        with pytest.raises(TeacherError, match="status_401"):
            made(cut, concurrency=16, teacher_url=revoked.url)
        bought = revoked.answered
    with serving() as server:
        assert made(cut, concurrency=16, teacher_url=server.url) == expected
        assert bought + server.answered == cut.params["books"]["answers"]["count"]


def test_a_few_failures_are_recorded_and_many_stop_the_stage(fresh: Fresh) -> None:
    def refuse(share: int) -> Any:
        return lambda n, _: Fault(status=400 if n % share == share - 1 else 200)

    few, many = fresh(), fresh()
    few.prepare()
    many.prepare()
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
    workspace.prepare()
    filler = " ".join(f"word{n} is new." for n in range(30))
    book = f"This is an example. Exercise: add. Answer: 2. {filler}"

    said = [None, "I'm sorry, but no.", book, book, filler, book + "\ndef f(:\n    pass\n"]
    odd = [*map(completion, said), completion(book, "length")]
    with serving(lambda n, _: odd[n] if n < len(odd) else Fault()) as server:
        workspace.stage("book_answers", teacher_url=server.url)
    books_made = workspace.stage("synthetic_books")
    dropped = read_json(books_made / "summary.json")["dropped"]
    assert dropped.pop("exact_duplicate") >= 1
    assert dropped == {
        "code_does_not_parse": 1,
        "empty": 1,
        "refusal": 1,
        "no_example": 1,
        "truncated": 1,
    }
    excerpts = read_table(books_made / "dropped-00000.parquet").to_pylist()
    assert {row["reason"]: row["excerpt"] for row in excerpts}["refusal"] == "I'm sorry, but no."


def test_a_corpus_that_breaks_its_expectations_is_not_written(workspace: Workspace) -> None:
    workspace.prepare()
    workspace.stage("book_answers", concurrency=8)
    workspace.params["books"]["corpus"]["expectations"] = [
        {"type": "expect_column_values_to_be_between",
         "kwargs": {"column": "words", "max_value": 60}}
    ]  # fmt: skip
    with pytest.raises(ExpectationError, match="words"):
        workspace.stage("synthetic_books")
    assert not (workspace.root / "artifacts" / "books" / "corpus").exists()


def test_an_unreachable_teacher_ends_the_stage_with_the_remedy(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "PATIENCE_SECONDS", {False: 0.1, True: 0.1})
    workspace.prepare()
    with serving(always(Fault())) as server:
        url = server.url
    with pytest.raises(TeacherError, match=r"cannot be reached.*HORNBOOK_TEACHER_URL"):
        workspace.stage("book_answers", teacher_url=url)
    assert not (workspace.root / "artifacts" / "books" / "answers").exists()


def test_a_models_programs_run_in_the_sandbox_or_not_at_all(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.prepare().stage("book_answers")
    workspace.params["teacher"]["model"] = "another"
    monkeypatch.setattr(corpus, "missing", lambda: "no sandbox: install it")
    summary = read_json(workspace.stage("synthetic_books") / "summary.json")
    assert summary["programs_not_run"] == "no sandbox: install it"
    assert "programs_run" not in summary


def test_books_of_a_sample_whose_programs_fail_are_dropped(workspace: Workspace) -> None:
    broken = "This is an example of a function.\n\ndef f():\n    return g()\n# f() = 3\n\n"
    text = broken + "Exercise: call it. Answer: it is three. " + " ".join(
        f"word{n} is new." for n in range(30))  # fmt: skip
    workspace.prepare()
    with serving(lambda n, _: completion(text) if n == 5 else Fault()) as server:
        workspace.stage("book_answers", teacher_url=server.url)
    workspace.params["books"]["corpus"]["programs"]["sample"] = 120
    summary = read_json(workspace.stage("synthetic_books") / "summary.json")
    assert summary["dropped"]["code_fails"] == summary["programs_failed"] == 1


def test_diversity_tells_the_same_from_the_different(workspace: Workspace) -> None:
    workspace.prepare().stage("book_answers")
    workspace.stage("synthetic_books")
    out = workspace.stage("book_diversity")
    found = read_json(out / "diversity.json")
    assert (out / "diversity.png").read_bytes().startswith(b"\x89PNG")
    assert set(found["domain"]) == set(conf("books")["answers"]["weights"])
    assert all(0 < one["distinct_1"] <= one["distinct_3"] <= 1 for one in found["style"].values())
    settings = Diversity(books=9, pairs=50, sample_words=1000, points=5, seed=0)
    same = measure(["the old mill stands by the river"] * 20, settings)
    different = measure([f"word{n} stands by number{n} alone" for n in range(20)], settings)
    assert same["self_similarity"] == pytest.approx(1.0)
    assert different["self_similarity"] < 0.8
    assert same["compression"] > 2 * different["compression"]
    assert same["distinct_1"] < different["distinct_1"]
    assert same["growth"][-1] == [140, 6] or same["growth"][-1] == (140, 6)


def test_excerpts_are_a_seeded_sample_of_clean_paragraphs(fresh: Fresh) -> None:
    one, other = fresh(), fresh()
    for workspace in (one, other):
        workspace.params["books"]["excerpts"] |= {"count": 5, "max_letters": 90}
    other.params["books"]["excerpts"]["seed"] = 1
    rows = [read_table(w.stage("book_excerpts") / "excerpts.parquet").to_pylist()
            for w in (one, other)]  # fmt: skip
    assert [len(found) for found in rows] == [1, 1]  # cut at 90 letters all pages say the same
    many = fresh()
    many.params["books"]["excerpts"]["count"] = 5
    ids = read_table(many.stage("book_excerpts") / "excerpts.parquet")["id"].to_pylist()
    assert len(ids) == 5
    assert ids == sorted(ids)


def test_a_crawl_without_paragraphs_is_named(workspace: Workspace) -> None:
    (workspace.root / "data/web/pages.jsonl").write_text('{"url": "a", "text": "short"}')
    with pytest.raises(InputError, match=r"data.web=.*paragraph of 80 letters; set books.prompts"):
        workspace.stage("book_excerpts")
