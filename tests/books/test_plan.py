"""The plan of the books: balanced, distinct, and stable when it grows."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from pydantic import TypeAdapter

from hornbook.books.config import Answers, Prompts
from hornbook.books.plan import Planned, key, planned, request
from hornbook.errors import ConfigError
from tests.made_run import conf

PROMPTS = TypeAdapter(Prompts).validate_python(conf("books")["prompts"])
SETTINGS = replace(
    TypeAdapter(Answers).validate_python(conf("books")["answers"]),
    count=300,
    weights={"science": 2.0, "code": 1.0},
)
EXCERPTS = [{"id": f"e{n}", "text": f"excerpt {n}"} for n in range(3)]


def topics(domain: str, count: int) -> list[dict[str, Any]]:
    return [
        {"topic_id": f"{domain}{n}", "domain": domain, "subject": "s", "topic": f"{domain} {n}"}
        for n in range(count)
    ]


KNOWN = topics("science", 10) + topics("code", 7)


def plan(settings: Answers = SETTINGS, prompts: Prompts = PROMPTS) -> list[Planned]:
    return list(planned(settings, prompts, KNOWN, EXCERPTS))


def test_no_prompt_is_the_same_as_another() -> None:
    asked = {request(PROMPTS, book).messages for book in plan()}
    assert len(asked) == len({key(book) for book in plan()}) == 300


def test_domains_have_their_shares_and_topics_come_equally_often() -> None:
    assert Counter(book.topic["domain"] for book in plan()) == {"science": 200, "code": 100}
    times = Counter(book.topic["topic_id"] for book in plan())
    assert {times[t["topic_id"]] for t in KNOWN if t["domain"] == "science"} == {20}
    assert {times[t["topic_id"]] for t in KNOWN if t["domain"] == "code"} == {14, 15}


def test_audiences_and_styles_are_even_and_styles_stay_in_their_domains() -> None:
    science = [book for book in plan() if book.topic["domain"] == "science"]
    pairs = Counter((book.audience, book.style) for book in science)
    assert len(pairs) == 3 * 5
    assert max(pairs.values()) - min(pairs.values()) <= 2
    assert "code_lesson" not in {book.style for book in science}
    code = {book.style for book in plan() if book.topic["domain"] == "code"}
    assert code == {"code_lesson", "textbook", "exercise_set"}


def test_a_style_of_twice_the_weight_comes_twice_as_often_and_stays_distinct() -> None:
    heavy = replace(PROMPTS.styles["story"], weight=2)
    prompts = replace(PROMPTS, styles={**PROMPTS.styles, "story": heavy})
    books = [book for book in plan(prompts=prompts) if book.topic["domain"] == "science"]
    styles = Counter(book.style for book in books)
    assert styles["story"] == pytest.approx(2 * styles["dialogue"], abs=6)
    assert len({key(book) for book in books}) == len(books)


def test_a_longer_plan_goes_on_where_the_shorter_one_ends() -> None:
    one = replace(SETTINGS, weights={"science": 1.0}, count=40)
    longer = planned(replace(one, count=90), PROMPTS, KNOWN, EXCERPTS)
    assert list(islice(longer, 40)) == plan(one)


def test_words_and_excerpts_come_as_often_as_their_shares_say() -> None:
    many = plan(replace(SETTINGS, count=3000, weights={"science": 1.0}))
    fit = [book for book in many if book.style in PROMPTS.words.styles]
    assert sum(bool(b.words) for b in fit) / len(fit) == pytest.approx(0.2, abs=0.04)
    assert sum(b.excerpt is not None for b in many) / len(many) == pytest.approx(0.1, abs=0.03)
    one = next(book for book in many if book.words and book.excerpt)
    text = request(PROMPTS, one).messages[1].content
    assert f"\nWords: {', '.join(one.words)}\n" in text
    assert text.endswith(f"Excerpt: {one.excerpt['text']}")  # type: ignore[index]
    assert not any(book.excerpt for book in planned(SETTINGS, PROMPTS, KNOWN, []))


def test_the_seed_decides() -> None:
    assert plan() == plan()
    assert plan() != plan(replace(SETTINGS, seed=1))


def test_a_prompt_with_an_unknown_field_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"template.*'title'.*\{audience\}, \{audience_text\}"):
        request(replace(PROMPTS, template="Write about {title}"), plan()[0])


def test_a_weighted_domain_without_topics_or_styles_is_named() -> None:
    with pytest.raises(ConfigError, match=r"gives 'history' 300 books.*\['code', 'science'\]"):
        plan(replace(SETTINGS, weights={"history": 1.0}))
    bare = replace(PROMPTS, styles={"code_lesson": PROMPTS.styles["code_lesson"]})
    with pytest.raises(ConfigError, match="no style for 'science'"):
        plan(replace(SETTINGS, weights={"science": 1.0}), bare)


def test_every_scale_asks_for_the_parts_that_quality_control_wants() -> None:
    for scale in ("smoke", "laptop", "paper"):
        template = conf("books", scale)["prompts"]["template"]
        for part in ("concept", "example", "exercise", "answer"):
            assert part in template, scale
