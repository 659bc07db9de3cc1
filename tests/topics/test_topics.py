"""Topics: balanced as conf says, the same for the same seed, from files of every kind."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_json
from hornbook.errors import ConfigError, InputError
from hornbook.topics.config import Topics
from hornbook.topics.seeds import draw, topic_seeds
from hornbook.topics.sources import Topic, quotas, read_topics
from tests.made_run import CONF, conf, file_bytes, made_run

TAXONOMY = CONF / "topics" / "taxonomy.yaml"
ROWS = [("science", "physics", "heat"), ("code", "python", "loops"), ("code", "python", "lists")]
SETTINGS = Topics(
    count=10,
    seed=0,
    weights={"science": 1, "code": 3},
    audiences=["child", "college"],
    styles={"default": ["story", "textbook"], "code": ["code_lesson"]},
    expectations=[],
)


def settings(scale: str) -> Topics:
    return TypeAdapter(Topics).validate_python(conf("topics", scale))


def known() -> list[Topic]:
    return [Topic(*row) for row in ROWS]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_every_domain_gets_its_declared_share(scale: str) -> None:
    declared = settings(scale)
    rows = draw(read_topics(TAXONOMY).topics, declared)
    assert len(rows) == declared.count
    found = Counter(row["domain"] for row in rows)
    total = sum(declared.weights.values())
    for domain, weight in declared.weights.items():
        assert abs(found[domain] - declared.count * weight / total) < 1


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_identities_are_unique(scale: str) -> None:
    rows = draw(read_topics(TAXONOMY).topics, settings(scale))
    assert len({row["topic_id"] for row in rows}) == len(rows)


def test_a_topic_keeps_its_identity_when_others_join() -> None:
    few = draw(known(), SETTINGS)
    more = draw(known(), replace(SETTINGS, count=14))
    science = {row["topic_id"] for row in few if row["domain"] == "science"}
    assert science <= {row["topic_id"] for row in more}


def test_nothing_repeats_before_everything_was_drawn() -> None:
    rows = draw(known(), SETTINGS)
    code = [
        (row["topic"], row["audience"], row["style"]) for row in rows if row["domain"] == "code"
    ]
    combinations = 2 * 2 * 1
    assert len(code) == 8 or len(code) == 7
    assert len(set(code[:combinations])) == combinations
    assert [row["repeat"] for row in rows if row["domain"] == "code"][combinations] == 1


def test_styles_belong_to_their_domain() -> None:
    styles = {(row["domain"], row["style"]) for row in draw(known(), SETTINGS)}
    assert {style for domain, style in styles if domain == "code"} == {"code_lesson"}
    assert {style for domain, style in styles if domain == "science"} <= {"story", "textbook"}


def test_the_seed_decides() -> None:
    assert draw(known(), SETTINGS) == draw(known(), SETTINGS)
    laptop = settings("smoke")
    topics = read_topics(TAXONOMY).topics
    assert draw(topics, laptop) != draw(topics, replace(laptop, seed=laptop.seed + 1))


def test_shares_add_up_by_largest_remainder() -> None:
    assert quotas(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert quotas(7, {"a": 0.5, "b": 0.25, "c": 0.25, "d": 0.0}) == {"a": 3, "b": 2, "c": 2, "d": 0}


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"topics.weights=.*at least one must be positive"):
        quotas(3, {"a": 0.0})


def test_a_negative_weight_is_refused_by_the_schema() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        replace(SETTINGS, weights={"code": -1.0, "science": 2.0})


def test_a_weighted_domain_without_topics_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"gives 'history' 5 topics.*it has \['code', 'science'\]"
    ):
        draw(known(), replace(SETTINGS, weights={"history": 1.0, "code": 1.0}))


def test_a_domain_needs_a_style() -> None:
    with pytest.raises(ConfigError, match=r"topics.styles has \['code'\]; expected `default`"):
        draw(known(), replace(SETTINGS, styles={"code": ["code_lesson"]}))


def write(folder: Path, kind: str, frame: pd.DataFrame) -> Path:
    file = folder / f"mine.{kind}"
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    return file


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_of_ones_own_is_read_without_its_repeats(tmp_path: Path, kind: str) -> None:
    again = [("Science", "physics", " heat ")]
    frame = pd.DataFrame([*ROWS, *again, ROWS[1]], columns=["domain", "subject", "topic"])
    source = read_topics(write(tmp_path, kind, frame.assign(note="x")))
    assert source.topics == known()
    assert source.duplicates == 2


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.csv", b"", "cannot be read: No columns"),
        ("mine.csv", b"domain,subject,topic\n", "has no topic"),
        ("mine.csv", "domain,subject,topic\na,b,caf\u00e9\n".encode("latin-1"), "is not UTF-8"),
        ("mine.jsonl", b'{"domain": "a"', "cannot be read"),
        ("mine.parquet", b"PAR1 no", "cannot be read"),
        ("mine.parquet", b"", "cannot be read"),
        ("mine.yaml", b"", "expected a mapping of domains, found None"),
        ("mine.yaml", b"science: [heat]", "science: subjects, found"),
        ("mine.yaml", b"science: {physics: heat}", "expected a list of topics, found 'heat'"),
        ("mine.yaml", b"science: {physics: [", "cannot be read"),
        ("mine.yaml", b"\xff\xfe\x00", "is not UTF-8"),
        ("mine.xlsx", b"", "expected one of .csv, .jsonl, .parquet, .yaml, .yml"),
    ],
)
def test_bad_input_ends_in_one_clear_message(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"data.topics=.*mine.*{message}"):
        read_topics(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data.topics=.*none.csv cannot be read.*No such file"):
        read_topics(tmp_path / "none.csv")


def test_the_taxonomy_has_no_repeats() -> None:
    assert read_topics(TAXONOMY).duplicates == 0


def stage(root: Path, file: str, **changed: Any) -> Path:
    params = {"topics": conf("topics") | changed, "data": {"topics": file}}
    run = made_run(root, "topic_seeds", reads=[file], params=params)
    topic_seeds(run)
    return run.out


def test_the_stage_writes_the_same_bytes_twice_and_its_coverage(tmp_path: Path) -> None:
    outs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "taxonomy.yaml").write_bytes(TAXONOMY.read_bytes())
        outs.append(stage(tmp_path / name, "taxonomy.yaml"))
    assert file_bytes(outs[0]) == file_bytes(outs[1])
    coverage = read_json(outs[0] / "coverage.json")
    count = conf("topics")["count"]
    for axis in ("domain", "subject", "audience", "style"):
        assert sum(coverage[axis].values()) == count
    assert coverage["duplicates_removed"] == 0


def test_the_stage_takes_a_file_by_configuration_alone(tmp_path: Path) -> None:
    frame = pd.DataFrame([*ROWS, ROWS[0]], columns=["domain", "subject", "topic"])
    write(tmp_path, "csv", frame)
    out = stage(tmp_path, "mine.csv", weights={"science": 1.0, "code": 1.0}, count=6)
    coverage = read_json(out / "coverage.json")
    assert coverage["domain"] == {"code": 3, "science": 3}
    assert coverage["duplicates_removed"] == 1
