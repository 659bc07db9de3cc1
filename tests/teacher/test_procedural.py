"""The embedded teacher: passages, micro-suites, and the same answers in process and over HTTP."""

import asyncio
import json
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from hornbook.books.config import Corpus
from hornbook.books.quality import Answered, judge
from hornbook.report.overlap import ItemScore
from hornbook.report.paired import Settings, differences
from hornbook.runtime import load_runtime
from hornbook.teacher import micro
from hornbook.teacher.client import open_client
from hornbook.teacher.config import Teacher
from hornbook.teacher.domains import WRITERS, is_left_out
from hornbook.teacher.endpoints import endpoints
from hornbook.teacher.knowledge import facts
from hornbook.teacher.passages import STYLES, write
from hornbook.teacher.procedural import complete
from hornbook.teacher.proposing import topics_of
from hornbook.teacher.server import Teaching
from hornbook.topics.sources import read_topics
from tests.made_run import conf

ROOT = Path(__file__).resolve().parents[2]
TEACHER = TypeAdapter(Teacher).validate_python(
    yaml.safe_load((ROOT / "conf/teacher/procedural.yaml").read_text())
)
RULES = TypeAdapter(Corpus).validate_python(conf("books", "laptop")["corpus"])


def fields(domain: str, style: str, variation: int = 0) -> dict[str, str]:
    return {"domain": domain, "subject": "s", "topic": "t", "audience": "child",
            "style": style, "variation": str(variation)}  # fmt: skip


@pytest.mark.parametrize("domain", sorted(WRITERS))
def test_every_style_of_a_domain_is_a_book_and_the_same_one_each_time(domain):
    for style in STYLES:
        for variation in range(5):
            one = write(fields(domain, style, variation), 0)
            assert one == write(fields(domain, style, variation), 0)
            assert judge(Answered(one, "stop", ""), RULES) is None, one


def test_no_textbook_states_what_a_micro_suite_asks():
    books = " ".join(
        write(fields(domain, style, v), 0)
        for domain in WRITERS for style in ("textbook", "dialogue") for v in range(150)
    )  # fmt: skip
    for task in sorted(micro.SUITES):
        for item in micro.items(task, 0):
            if "choices" in item:
                assert item["context"] + item["choices"][item["answer"]] not in books
            elif "canonical" in item:
                assert item["prompt"] + item["canonical"] not in books


def of_everyone(task: str, score: float) -> dict[int, list[ItemScore]]:
    return {0: [ItemScore(i["id"], i["cluster"], score) for i in micro.items(task, 0)]}


@pytest.mark.parametrize("task", sorted(micro.SUITES))
def test_a_suite_has_families_enough_to_show_a_difference_among_all_comparisons(task):
    settings = Settings(significance=0.05, flips=10_000, seed=0)
    alike = {f"other_{n}": {"a": of_everyone(task, 1.0), "b": of_everyone(task, 1.0),
                            "c": of_everyone(task, 1.0)} for n in range(8)}  # fmt: skip
    apart = {"a": of_everyone(task, 1.0), "b": of_everyone(task, 0.0), "c": of_everyone(task, 1.0)}
    answers = {(name, "acc"): by for name, by in ({task: apart} | alike).items()}
    found = [one for one in differences(answers, settings) if one.task == task]
    assert {(one.variant, one.other): one.differs for one in found} == {
        ("a", "b"): True, ("a", "c"): False, ("b", "c"): True
    }  # fmt: skip
    assert len({item["cluster"] for item in micro.items(task, 0)}) >= 12


def test_families_of_what_is_written_differ_in_form_and_not_in_their_facts_alone():
    fact = facts()
    stories = {f"{row['story']} {row['ask']}" for row in fact["arithmetic"]}
    plain = {re.sub(r"\W+|\{\w+\}", " ", story) for story in stories}
    assert len(plain) == len(fact["arithmetic"]) >= 12
    frames = [frame for one in micro.FRAMES.values() for frame in one]
    assert len({frame.replace("{0}", "").replace("{1}", "") for frame in frames}) == len(frames)
    sentences = {(row["relation"], row["if_first"]) for row in fact["pronouns"]}
    assert len(sentences) == len({row["big"] for row in fact["pronouns"]}) >= 12


def test_both_versions_of_a_pronoun_are_asked_and_in_different_frames():
    items = micro.items("micro_pronoun", 0)
    for big in {item["cluster"] for item in items}:
        one, other = (item for item in items if item["cluster"] == big)
        right = {item["choices"][item["answer"]] for item in (one, other)}
        assert right == set(one["choices"]) == set(other["choices"])
        frames = {re.sub(r"The .* because .*?\.", "", item["context"]) for item in (one, other)}
        assert len(frames) == 2, big


def test_textbooks_leave_out_one_version_of_some_sentences_and_never_both():
    rows = facts()["pronouns"]
    left = {row["big"]: [is_left_out(row["big"], first=one) for one in (True, False)]
            for row in rows}  # fmt: skip
    assert not [big for big, versions in left.items() if all(versions)]
    assert 3 <= sum(any(versions) for versions in left.values()) < len(rows) / 2
    books = " ".join(write(fields("pronouns", "textbook", v) | {"topic": row["big"]}, 0)
                     for row in rows for v in range(12))  # fmt: skip
    for row in rows:
        for is_out, why in zip(left[row["big"]], (row["if_first"], row["if_second"]), strict=True):
            told = f"{row['relation']} the {row['small']} because {why}"
            assert (told in books) is not is_out, told


@pytest.mark.parametrize("task", ["micro_functions", "micro_arithmetic"])
def test_canonical_solutions_pass_their_own_tests(task):
    for item in micro.items(task, 0):
        names: dict[str, object] = {}
        exec(item["prompt"] + item["canonical"], names)
        for check in item["tests"]:
            exec(check, names)


def test_answers_stand_in_every_place_about_equally_often():
    items = micro.items("micro_mind", 0)
    first = sum(item["answer"] == 0 for item in items) / len(items)
    assert 0.35 < first < 0.65


def ask(text: str, url: str | None = None) -> str:
    runtime = load_runtime(ROOT)
    runtime = type(runtime)(**vars(runtime) | {"teacher_url": url})

    async def one() -> str:
        async with open_client(TEACHER, endpoints(runtime)[0], runtime) as client:
            reply = await client.chat.completions.create(
                model=TEACHER.model, messages=[{"role": "user", "content": text}]
            )
        return str(reply.choices[0].message.content)

    return asyncio.run(one())


PROMPT = "Domain: science\nSubject: x\nTopic: metal\nAudience: child\nStyle: story\nVariation: 3"


@pytest.fixture(scope="module")
def server():
    one = Teaching(("127.0.0.1", 0))
    threading.Thread(target=lambda: one.serve_forever(0.02), daemon=True).start()
    yield f"http://127.0.0.1:{one.server_address[1]}/v1"
    one.shutdown()


def test_over_http_it_says_what_it_says_in_process(server):
    assert ask(PROMPT, server) == ask(PROMPT)
    assert "metal" in ask(PROMPT)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [(b"{", 400, "not JSON"), (b'{"model": "gpt"}', 404, "does not exist"),
     (b'{"model": "procedural", "messages": []}', 400, "non-empty list"),
     (b'{"model": "procedural", "messages": ["hi"]}', 400, "role and content"),
     (b'{"model": "procedural", "messages": [{"content": "a"}], "seed": "b"}', 400, "seed"),
     (b"[]", 400, "not a JSON object")],
)  # fmt: skip
def test_a_bad_request_is_answered_as_the_api_does(server, body, status, told):
    request = urllib.request.Request(f"{server}/chat/completions", body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == status
    assert told in json.loads(caught.value.read())["error"]["message"]


def test_the_server_lists_its_model_and_nothing_elsewhere(server):
    with urllib.request.urlopen(f"{server}/models") as reply:
        assert [model["id"] for model in json.loads(reply.read())["data"]] == ["procedural"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{server}/engines")


def test_an_answer_is_cut_at_the_limit_and_says_so():
    body = {"model": "procedural", "messages": [{"role": "user", "content": PROMPT}]}
    whole = complete(body)
    size = whole["usage"]["completion_tokens"]
    assert complete(body | {"max_tokens": size})["choices"][0]["finish_reason"] == "stop"
    cut = complete(body | {"max_tokens": size - 1})
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == size - 1
    text = whole["choices"][0]["message"]["content"]
    assert text.startswith(cut["choices"][0]["message"]["content"])


def function_names(text: str) -> set[str]:
    return set(re.findall(r"\b[a-z_]+_\d+(?=\()", text))


def test_three_thousand_passages_hold_no_item_of_a_suite_but_its_open_neighbours():
    source = read_topics(ROOT / "conf" / "topics" / "embedded").topics
    proposed = [row._replace(topic=topic) for row in source
                for topic in topics_of(row.domain, row.subject)]  # fmt: skip
    topics = sorted({*source, *(row._replace(base=row.topic) for row in proposed)})
    asked = [
        topic._asdict() | {"audience": "child", "style": style, "variation": str(variation)}
        for variation in range(6) for topic in topics for style in STYLES
    ][:3000]  # fmt: skip
    assert len(asked) == 3000
    assert {row["domain"] for row in asked} == set(WRITERS)
    books = " ".join(" ".join(write(row, 0).split()) for row in asked)
    for task in sorted(micro.SUITES):
        for item in micro.items(task, 0):
            right = item["choices"][item["answer"]] if "choices" in item else item.get("canonical")
            stated = item.get("context", item.get("prompt")) + (right or f" {item['answer']}")
            assert " ".join(stated.split()) not in books, item["id"]
    held_out = {item["entry_point"] for item in micro.items("micro_functions", 0)}
    written = function_names(books)
    assert not held_out & written
    assert {name.rpartition("_")[0] for name in held_out} <= {
        name.rpartition("_")[0] for name in written
    }  # the same functions with other numbers are there: the search can find
