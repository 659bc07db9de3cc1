"""The thresholds of the code rules, and the stage over folders and tables."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from hornbook.artifacts import read_documents, read_json, write_table
from hornbook.code.corpus import code_corpus
from hornbook.code.files import Source, judge, sources
from hornbook.errors import InputError
from tests.code.test_files import GOOD, RULES
from tests.made_run import conf, made_run

LETTERS = sum(map(str.isalpha, GOOD)) / len(GOOD)


@pytest.mark.parametrize(
    ("name", "setting", "holds", "breaks"),
    [
        ("too_short", "min_lines", 5, 6),
        ("too_long", "max_lines", 5, 4),
        ("minified", "max_line_length", 16, 15),
        ("minified", "max_mean_line_length", len(GOOD) / 5, len(GOOD) / 5 - 0.01),
        ("data", "min_alpha", LETTERS, LETTERS + 0.001),
    ],
)
def test_a_rule_holds_at_its_threshold_and_breaks_behind_it(name, setting, holds, breaks):
    source = Source("a.py", GOOD, "MIT")
    assert judge(source, replace(RULES, **{setting: holds})) is None
    assert judge(source, replace(RULES, **{setting: breaks})) == name


def test_a_mark_of_a_generator_counts_in_the_first_ten_lines_only():
    mark = "# do not edit\n"
    assert judge(Source("a.py", "#\n" * 9 + mark + GOOD, "MIT"), RULES) == "generated"
    assert judge(Source("a.py", "#\n" * 10 + mark + GOOD, "MIT"), RULES) is None


@pytest.mark.parametrize("name", ["test_a.py", "a_test.py", "conftest.py", "pkg/test_a.py"])
def test_a_test_is_known_by_its_own_name(name):
    assert judge(Source(name, GOOD, "MIT"), RULES) == "test"
    assert judge(Source("test_folder/a.py", GOOD, "MIT"), RULES) is None


@pytest.mark.parametrize(
    ("columns", "licence"),
    [
        ({"license": "MIT"}, "MIT"),
        ({"licence": "MIT"}, "MIT"),
        ({"max_stars_repo_licenses": ["MIT", "GPL-3.0"]}, "MIT"),
    ],
)
def test_a_table_may_name_its_licence_in_three_ways(tmp_path, columns, licence):
    row = {"content": GOOD, "path": "p/a.py"} | columns
    write_table(tmp_path / "rows.parquet", pa.Table.from_pylist([row]))
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n\n")
    assert list(sources(tmp_path, RULES)) == [Source("p/a.py", GOOD, licence)] * 2


@pytest.mark.parametrize("row", [{"content": GOOD}, {"license": "MIT"}, {"text": GOOD}])
def test_a_parquet_without_a_column_is_refused_with_those_it_has(tmp_path, row):
    file = tmp_path / "rows.parquet"
    write_table(file, pa.Table.from_pylist([row]))
    with pytest.raises(InputError, match=rf"no `content` and `license`.*has \['{next(iter(row))}"):
        list(sources(file, RULES))


def stage(root):
    params = {"code": conf("code"), "data": {"code": "in"}}
    return made_run(root, "code_corpus", reads=["in"], params=params)


def test_the_stage_keeps_good_files_once_and_counts_the_others(tmp_path):
    folder = tmp_path / "in" / "pkg"
    folder.mkdir(parents=True)
    for name, text in {"a.py": GOOD, "b.py": GOOD, "c.py": GOOD + "def broken(:\n",
                       "test_d.py": GOOD, "notes.txt": "no code"}.items():  # fmt: skip
        (folder / name).write_text(text)
    (folder / "latin.py").write_bytes(GOOD.encode() + "# \xfc\n".encode("latin-1"))
    run = stage(tmp_path)
    code_corpus(run)
    assert [row["source"] for row in read_documents(run.out)] == ["pkg/a.py"]
    assert read_json(run.out / "summary.json")["dropped"] == {
        "encoding": 1, "exact_duplicate": 1, "syntax": 1, "test": 1,
    }  # fmt: skip


def test_a_stage_that_would_keep_nothing_says_what_it_dropped(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"none of 1 files passed the rules: \{'too_short': 1\}"):
        code_corpus(stage(tmp_path))
