"""The stage over folders, tables and dumps together."""

import json

import pytest

from hornbook.artifacts import read_documents, read_json, read_table
from hornbook.code.corpus import code_corpus
from hornbook.errors import InputError
from tests.code.rules import GOOD
from tests.code.test_questions import answer, question, xml
from tests.code.test_secrets import ISSUED
from tests.made_run import conf, file_bytes, made_run


def stage(root, *, workers=1, **settings):
    code = conf("code", "laptop")
    code["corpus"] |= {"folder_licences": {"": "MIT"}} | settings
    params = {"code": code, "data": {"code": "in"}}
    return made_run(root, "code_corpus", reads=["in"], params=params, workers=workers)


def fill(root):
    """Files, two tables and a dump; copies within and across shards."""
    folder = root / "in"
    (folder / "pkg").mkdir(parents=True)
    for name, text in {
        "pkg/a.py": GOOD,
        "pkg/b.py": GOOD,
        "pkg/c.py": GOOD + "def broken(:\n",
        "pkg/test_d.py": GOOD,
        "notes.txt": "no code",
        "pkg/e.py": GOOD + f"k = '{ISSUED['npm_token']}'\n",
    }.items():
        (folder / name).write_text(text)
    (folder / "latin.py").write_bytes(GOOD.encode() + "# \xfc\n".encode("latin-1"))
    (folder / "link.py").symlink_to(folder / "pkg" / "a.py")
    for name, texts in {
        "x.jsonl": [GOOD, GOOD + "# x\n"],
        "y.jsonl": [GOOD + "# x\n", GOOD + "# y\n"],
    }.items():
        rows = [
            {"content": text, "license": "mit", "path": f"{name}/{n}.py"}
            for n, text in enumerate(texts)
        ]
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "Posts.xml").write_bytes(xml([question(1), answer(10, 1)]))
    return folder


def test_every_source_is_kept_once_and_all_else_is_counted(tmp_path):
    fill(tmp_path)
    run = stage(tmp_path)
    code_corpus(run)
    sources = [row["source"] for row in read_documents(run.out)]
    assert sources == ["pkg/a.py", "x.jsonl/1.py", "y.jsonl/1.py", "posts/questions/1"]
    summary = read_json(run.out / "summary.json")
    assert summary["dropped"] == {
        "encoding": 1,
        "exact_duplicate": 3,
        "secret": 1,
        "symlink": 1,
        "syntax": 1,
        "test": 1,
    }
    frame = read_table(run.out, ["lines", "words"]).to_pandas()
    assert (summary["rows"], summary["lines"], summary["words"]) == (4, *frame.sum())
    dropped = read_table(run.out / "dropped.parquet").to_pylist()
    assert len(dropped) == sum(summary["dropped"].values())
    assert not any(ISSUED["npm_token"] in row["excerpt"] for row in dropped)
    assert len({row["id"] for row in read_documents(run.out)}) == 4


def test_shards_and_workers_change_no_document(tmp_path):
    fill(tmp_path / "a")
    found = []
    for place, workers, size in (("a", 1, 1 << 25), ("b", 1, 300), ("c", 2, 300)):
        if place != "a":
            (tmp_path / place).mkdir()
            (tmp_path / place / "in").symlink_to(tmp_path / "a" / "in")
        run = stage(tmp_path / place, workers=workers, shard_bytes=size, expectations=[])
        code_corpus(run)
        found.append(([row["id"] for row in read_documents(run.out)], file_bytes(run.out)))
    assert found[0][0] == found[1][0]
    assert found[1] == found[2]


def test_finished_shards_are_found_again(tmp_path, monkeypatch):
    fill(tmp_path)
    whole = stage(tmp_path, shard_bytes=300, expectations=[])
    code_corpus(whole)
    expected = file_bytes(whole.out)
    again = whole.out.parent / "again"
    whole.out.rename(again)
    whole.out.mkdir()
    monkeypatch.setattr("hornbook.code.judging.Judge.judge", None)  # nothing is judged again
    code_corpus(whole)
    assert file_bytes(whole.out) == expected


def test_examples_are_bounded_and_all_are_counted(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(9):
        (folder / f"{n}.py").write_text("x = 1\n")
    (folder / "a.py").write_text(GOOD)
    run = stage(tmp_path, dropped_examples=2, shard_bytes=1, expectations=[])
    code_corpus(run)
    assert read_json(run.out / "summary.json")["dropped"] == {"too_short": 9}
    assert [row["source"] for row in read_table(run.out / "dropped.parquet").to_pylist()] == [
        "0.py",
        "1.py",
    ]


def test_a_stage_that_would_keep_nothing_says_what_it_dropped(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text("x = 1\n")
    with pytest.raises(
        InputError, match=r"none of 1 files and .* passed the rules: \{'too_short': 1\}"
    ):
        code_corpus(stage(tmp_path))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"folder_licences": {}}, r"\{'no_licence': 1\}; '\+code\.corpus\.folder_licences="),
        ({"licences": ["ISC"]}, r"\{'licence': 1\}; code\.corpus\.licences lists those that are"),
    ],
)
def test_where_licences_leave_nothing_the_setting_is_named(tmp_path, settings, told):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text(GOOD)
    with pytest.raises(InputError, match=told):
        code_corpus(stage(tmp_path, **settings))


def test_what_is_installed_is_in_the_record(tmp_path):
    from hornbook.code.installed import pinned

    (tmp_path / "in").mkdir()
    run = stage(tmp_path, installed=pinned(["packaging"]), expectations=[])
    code_corpus(run)
    (record,) = read_json(run.out / "inputs.json")["installed"]
    assert (record["name"], record["licence"]) == ("packaging", "Apache-2.0 OR BSD-2-Clause")
    assert all(
        row["source"].startswith(f"packaging-{record['version']}/")
        for row in read_documents(run.out)
    )
