"""Where topics come from: taxonomies, tables of one's own, and clear words for bad input."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from hornbook.errors import InputError
from hornbook.teacher.domains import WRITERS
from hornbook.topics.sources import BLOOM, UNKNOWN, Topic, read_topics
from tests.made_run import CONF

ROWS = [("science", "physics", "heat"), ("code", "python", "loops"), ("code", "python", "lists")]
TAXONOMY = """
domain: science
facets: {"the basics of {topic}": remember, "an experiment on {topic}": create}
subjects: {physics: [heat, light]}
---
domain: code
facets: {"{topic}": apply}
subjects: {python: [loops]}
"""


def known() -> list[Topic]:
    return [Topic(*row, row[2], UNKNOWN) for row in ROWS]


def write(folder: Path, kind: str, frame: pd.DataFrame) -> Path:
    file = folder / f"mine.{kind}"
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    return file


def test_a_taxonomy_gives_every_topic_in_every_facet_of_its_domain(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(TAXONOMY)
    source = read_topics(tmp_path)
    assert source.topics == read_topics(tmp_path / "all.yaml").topics
    assert source.topics[:2] == [
        Topic("science", "physics", "the basics of heat", "heat", "remember"),
        Topic("science", "physics", "an experiment on heat", "heat", "create"),
    ]
    assert len(source.topics) == 5
    assert source.facets["code"] == {"{topic}": "apply"}


def test_the_papers_taxonomy_holds_over_twenty_thousand_topics_at_every_level() -> None:
    source = read_topics(CONF / "topics" / "taxonomy")
    assert len(source.topics) == len(set(source.topics)) > 20_000
    assert source.duplicates == 0
    levels = Counter((topic.domain, topic.bloom) for topic in source.topics)
    assert {level for _, level in levels} == set(BLOOM)
    assert len(levels) == len(BLOOM) * len(source.facets)


def test_the_embedded_taxonomy_knows_every_domain_of_the_teacher() -> None:
    topics = read_topics(CONF / "topics" / "embedded").topics
    assert {topic.domain for topic in topics} == set(WRITERS)
    assert len(topics) == len(set(topics)) > 90


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_of_ones_own_is_read_without_its_repeats(tmp_path: Path, kind: str) -> None:
    again = [("Science", "physics", " heat ")]
    frame = pd.DataFrame([*ROWS, *again, ROWS[1]], columns=["domain", "subject", "topic"])
    source = read_topics(write(tmp_path, kind, frame.assign(note="x")))
    assert source.topics == known()
    assert source.duplicates == 2


def test_a_file_of_ones_own_may_give_blooms_level(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["domain", "subject", "topic"])
    file = write(tmp_path, "csv", frame.assign(bloom=["apply", None, "create"]))
    assert [topic.bloom for topic in read_topics(file).topics] == ["apply", UNKNOWN, "create"]
    with pytest.raises(InputError, match=r"topic 'heat' has bloom='hard'; expected one of remem"):
        read_topics(write(tmp_path, "csv", frame.assign(bloom="hard")))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_missing_column_is_named(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame(ROWS, columns=["domain", "subject", "title"])
    with pytest.raises(InputError, match=r"has no column topic; it has domain, subject, title"):
        read_topics(write(tmp_path, kind, frame))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_row_without_a_value_is_named(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame(
        [*ROWS, ("science", None, "light")], columns=["domain", "subject", "topic"]
    )
    with pytest.raises(InputError, match=r"row 4 and 0 more lack a value"):
        read_topics(write(tmp_path, kind, frame))


FACETS = b'domain: a\nfacets: {"{topic}": apply}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.csv", b"", "cannot be read: No columns"),
        ("mine.csv", b"domain,subject,topic\n", "has no topic"),
        ("mine.csv", "domain,subject,topic\na,b,caf\u00e9\n".encode("latin-1"), "is not UTF-8"),
        ("mine.jsonl", b'{"domain": "a"', "cannot be read"),
        ("mine.parquet", b"PAR1 no", "cannot be read"),
        ("mine.parquet", b"", "cannot be read"),
        ("mine.yaml", b"", "has no topic"),
        ("mine.yaml", b"- a", "expected a mapping of domain, facets, subjects"),
        ("mine.yaml", b"domain: a\nsubjects: {}", "has domain, subjects; each document needs"),
        ("mine.yaml", FACETS + b"subjects: {physics: heat}", "a list of topics, found 'heat'"),
        ("mine.yaml", FACETS + b"subjects: [heat]", "a mapping of a: subjects"),
        ("mine.yaml", b"domain: a\nfacets: {x: apply}\nsubjects: {}", "facet 'x': 'apply'"),
        ("mine.yaml", b'domain: a\nfacets: {"{topic}": hard}\nsubjects: {}', "'hard': expected"),
        ("mine.yaml", b"science: {physics: [", "cannot be read"),
        ("mine.yaml", b"\xff\xfe\x00", "is not UTF-8"),
        ("mine.xlsx", b"", "expected one of .yaml, .csv, .jsonl, .parquet, or a folder"),
    ],
)
def test_bad_input_ends_in_one_clear_message(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"topics.source=.*mine.*{message}"):
        read_topics(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"topics.source=.*none.csv cannot be read.*No such file"):
        read_topics(tmp_path / "none.csv")
