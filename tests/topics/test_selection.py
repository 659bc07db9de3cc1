"""Topics are balanced as conf says, distinct, and the same for the same seed."""

from collections import Counter
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.errors import ConfigError
from hornbook.topics.config import Selection
from hornbook.topics.seeds import topic_id, without_repeats
from hornbook.topics.selection import even, quotas, select
from hornbook.topics.sources import Topic, read_topics
from tests.made_run import CONF, conf

SETTINGS = Selection(count=6, seed=0, weights={"a": 1, "b": 2}, max_similarity=0.9, expectations=[])


def topics(domain: str, **subjects: int) -> list[Topic]:
    """So many topics for each subject."""
    return [
        Topic(domain, subject, f"{subject} {n}", f"{subject} {n}", "apply")
        for subject, count in subjects.items()
        for n in range(count)
    ]


KNOWN = topics("a", x=5) + topics("b", large=9, small=1)


def test_the_papers_twenty_thousand_follow_their_weights_within_one() -> None:
    declared = TypeAdapter(Selection).validate_python(conf("topics", "paper")["selection"])
    known = read_topics(CONF / "topics" / "taxonomy").topics
    distinct, near = without_repeats(known, declared.max_similarity)
    chosen = select(distinct, declared)
    assert declared.count == len(chosen) == len({topic_id(topic) for topic in chosen}) == 20_000
    assert len(near) < 0.01 * len(known)
    found, total = Counter(topic.domain for topic in chosen), sum(declared.weights.values())
    for domain, weight in declared.weights.items():
        assert abs(found[domain] - declared.count * weight / total) < 1


def test_subjects_share_evenly_and_a_small_one_gives_all_it_has() -> None:
    chosen = select(KNOWN, SETTINGS)
    assert Counter((t.domain, t.subject) for t in chosen) == {
        ("a", "x"): 2,
        ("b", "large"): 3,
        ("b", "small"): 1,
    }


def test_the_seed_decides_and_nothing_else() -> None:
    assert select(KNOWN, SETTINGS) == select(KNOWN[::-1], SETTINGS)
    others = [select(KNOWN, replace(SETTINGS, seed=seed)) for seed in range(1, 9)]
    assert any(chosen != select(KNOWN, SETTINGS) for chosen in others)


def test_without_a_count_all_topics_of_weighted_domains_are_taken() -> None:
    every = replace(SETTINGS, count=None, weights={"a": 1, "b": 0})
    assert select(KNOWN, every) == sorted(topics("a", x=5))


def test_a_domain_with_too_few_topics_is_named_with_what_it_has() -> None:
    with pytest.raises(ConfigError, match=r"a: 5 of 7.*raise topics.proposals.rounds"):
        select(KNOWN, replace(SETTINGS, count=14, weights={"a": 1, "b": 1}))
    with pytest.raises(ConfigError, match=r"c: 0 of 2.*the source has \['a', 'b'\]"):
        select(KNOWN, replace(SETTINGS, count=4, weights={"a": 1, "c": 1}))


@pytest.mark.parametrize(
    ("sizes", "total", "expected"),
    [
        ({"a": 5, "b": 5}, 4, {"a": 2, "b": 2}),
        ({"a": 5, "b": 5}, 5, {"a": 3, "b": 2}),
        ({"a": 1, "b": 9, "c": 2}, 9, {"a": 1, "b": 6, "c": 2}),
        ({"a": 1, "b": 1}, 2, {"a": 1, "b": 1}),
        ({"a": 3}, 0, {"a": 0}),
    ],
)
def test_what_a_small_one_lacks_the_others_give(
    sizes: dict[str, int], total: int, expected: dict[str, int]
) -> None:
    assert even(sizes, total) == expected


def test_shares_add_up_by_largest_remainder() -> None:
    assert quotas(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert quotas(7, {"a": 0.5, "b": 0.25, "c": 0.25, "d": 0.0}) == {"a": 3, "b": 2, "c": 2, "d": 0}
    assert sum(quotas(1000, {"a": 0.333, "b": 0.1}).values()) == 1000


def test_weights_that_are_all_zero_or_negative_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"weights=.*at least one must be positive"):
        quotas(3, {"a": 0.0})
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        replace(SETTINGS, weights={"code": -1.0, "science": 2.0})


def test_an_identity_follows_from_the_topic_alone() -> None:
    one = KNOWN[0]
    assert topic_id(one) == topic_id(one._replace(bloom="create"))
    assert len({topic_id(topic) for topic in KNOWN}) == len(KNOWN)


def test_near_repeats_within_a_domain_go_and_name_what_they_repeat() -> None:
    names = ["adding fractions", "adding the fractions", "heat", "adding a fraction"]
    known = [Topic("a", "x", f"on {name}", name, "apply") for name in names]
    other = Topic("b", "x", "adding fractions", "adding fractions", "apply")
    kept, removed = without_repeats([*known, other], 0.7)
    assert [topic.base for topic in kept] == ["adding fractions", "heat", "adding fractions"]
    assert {row["repeats"] for row in removed} == {"adding fractions"}
    assert without_repeats(known, 1.0)[1] == []
