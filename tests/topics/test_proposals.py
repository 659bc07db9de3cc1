"""Thin subjects are filled by the teacher, round by round, and every proposal has a verdict."""

from pathlib import Path
from typing import Any

import pytest

from hornbook.artifacts import read_json, read_table
from hornbook.errors import ConfigError
from hornbook.topics.coverage import coverage, thin_subjects
from hornbook.topics.proposals import parse, topic_proposals
from hornbook.topics.seeds import topic_seeds
from hornbook.topics.sources import Topic, read_topics
from tests.made_run import CONF, conf, file_bytes, made_run

TAXONOMY = """
domain: physical common sense
facets: {"the use of {topic}": apply, "a story about {topic}": create}
subjects: {tools: [hammer, saw, a hammer]}
"""


def proposed(root: Path, **changed: Any) -> Path:
    """The artifact of the proposals stage over a small taxonomy."""
    root.mkdir(exist_ok=True)
    (root / "mine.yaml").write_text(TAXONOMY)
    topics = conf("topics") | {"source": "mine.yaml"}
    topics["proposals"] |= {"rounds": 3, "enough": 9, "ask_for": 3} | changed
    params = {"topics": topics, "teacher": conf("teacher", "procedural")}
    run = made_run(root, "topic_proposals", reads=["mine.yaml"], params=params)
    topic_proposals(run)
    return run.out


def test_rounds_go_on_until_a_subject_has_enough(tmp_path: Path) -> None:
    out = proposed(tmp_path)
    log = read_table(out / "log.parquet").to_pylist()
    assert [row["round"] for row in log] == [1, 1, 1, 2, 2, 2]
    assert {row["verdict"] for row in log} == {"accepted"}
    topics = [Topic(**row) for row in read_table(out / "topics.parquet").to_pylist()]
    assert len(topics) == 2 * 6
    assert {topic.bloom for topic in topics} == {"apply", "create"}
    assert read_json(out / "summary.json")["still_thin"] == 0


def test_no_rounds_ask_nobody_and_rounds_without_news_end(tmp_path: Path) -> None:
    none = proposed(tmp_path / "none", rounds=0)
    assert read_json(none / "summary.json") | {"model": ""} == {
        "rows": 0, "rounds": 0, "still_thin": 1, "verdicts": {}, "model": "", "prompt_tokens": 0,
        "completion_tokens": 0, "cost_usd": 0,
    }  # fmt: skip
    every = proposed(tmp_path / "every", rounds=9, enough=1000, ask_for=100)
    assert read_json(every / "summary.json")["rounds"] == 2  # the second brings nothing new


def test_repeats_in_other_words_and_sentences_are_not_taken(tmp_path: Path) -> None:
    out = proposed(
        tmp_path, rounds=1, max_words=1, max_similarity=0.3, enough=1000, ask_for=100, shown=0
    )
    verdicts = {
        row["proposed"]: row["verdict"] for row in read_table(out / "log.parquet").to_pylist()
    }
    assert verdicts["hammer"] == "repeat"
    assert verdicts["spoon"] == "accepted"
    assert set(verdicts.values()) <= {"repeat", "accepted", "near_repeat", "too_long"}


def test_the_same_bytes_come_out_twice(tmp_path: Path) -> None:
    assert file_bytes(proposed(tmp_path / "a")) == file_bytes(proposed(tmp_path / "b"))


def test_proposals_join_the_seeds_under_their_route(tmp_path: Path) -> None:
    proposals = proposed(tmp_path)
    target = tmp_path / "artifacts/topics/proposals"
    target.parent.mkdir(parents=True)
    proposals.rename(target)
    topics = conf("topics") | {"source": "mine.yaml"}
    topics["selection"] |= {"weights": {"physical common sense": 1}}
    run = made_run(tmp_path, "topic_seeds", reads=["mine.yaml", "artifacts/topics/proposals"],
                   params={"topics": topics})  # fmt: skip
    topic_seeds(run)
    summary = read_json(run.out / "summary.json")
    assert summary["by_route"] == {"proposal": 12, "source": 4}  # "a hammer" repeats "hammer"
    assert summary["near_repeats_removed"] == 1
    assert (run.out / "coverage.png").read_bytes().startswith(b"\x89PNG")
    found = read_json(run.out / "coverage.json")
    assert found["by_domain_and_bloom"] == {"physical common sense": {"apply": 8, "create": 8}}
    assert sum(found["nearest_similarity"]["histogram"]) == found["base_topics"] == 8


def test_a_prompt_with_an_unknown_field_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"proposals.prompt.*'title'.*\{count\}, \{domain\}"):
        proposed(tmp_path, prompt="More {title}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- heat\n* light\n3. sound\n4) 'ice'", ["heat", "light", "sound", "ice"]),
        ("Here are some:\n\n\u2022 heat.", ["heat"]),
        ("- +\n- *", ["+", "*"]),
        ("", []),
    ],
)
def test_a_reply_is_a_list_whatever_its_marks(text: str, expected: list[str]) -> None:
    assert parse(text) == expected


def test_thin_subjects_come_thinnest_first_by_base_topics() -> None:
    rows = [("x", "one"), ("y", "two"), ("y", "three"), ("z", "four")]
    topics = [Topic("d", s, f"{facet} {b}", b, "apply") for s, b in rows for facet in ("a", "b")]
    assert thin_subjects(topics, 2) == [("d", "x"), ("d", "z")]
    assert thin_subjects(topics, 1) == []


def test_gaps_are_told_by_the_benchmarks_subjects_and_no_item_is_read() -> None:
    topics = read_topics(CONF / "topics" / "taxonomy").topics
    found = coverage(topics)
    touched = {(row["benchmark"], row["subject"]): row["topics"] for row in
               found["benchmark_subjects"]}  # fmt: skip
    assert len([one for one in touched if one[0] == "MMLU"]) == 57
    assert touched["ARC", "plants"] > 100
    assert set(found["gaps"]) == {f"{b}: {s}" for (b, s), n in touched.items() if n < 5}
