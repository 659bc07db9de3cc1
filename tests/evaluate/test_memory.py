"""Answers are kept; a file that is no database any more is an error that says what to do."""

import pytest

from hornbook.errors import ArtifactError
from hornbook.evaluate.memory import Memory


def test_answers_are_found_again_by_the_same_settings_only(tmp_path):
    memory = Memory(tmp_path, "digest", {"dtype": "float32"})
    key = memory.key([1, 2])
    memory.put({key: [-1.5, True]})
    again = Memory(tmp_path, "digest", {"dtype": "float32"})
    assert again.get([again.key([1, 2]), again.key([1, 3])]) == {key: [-1.5, True]}
    for other in (Memory(tmp_path, "digest", {}), Memory(tmp_path, "d", {"dtype": "float32"})):
        assert other.get([other.key([1, 2])]) == {}


def test_the_first_answer_stands(tmp_path):
    memory = Memory(tmp_path, "digest", {})
    memory.put({"k": 1})
    memory.put({"k": 2})
    assert memory.get(["k"]) == {"k": 1}


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "scores.sqlite").write_bytes(b"half of a page" * 500)
    with pytest.raises(ArtifactError, match=r"scores\.sqlite is damaged .*delete it"):
        Memory(tmp_path, "digest", {})


def test_pages_that_were_overwritten_are_named(tmp_path):
    memory = Memory(tmp_path, "digest", {})
    memory.put({f"{n:040}": "x" * 100 for n in range(2000)})
    memory.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    memory.connection.close()
    file = tmp_path / "scores.sqlite"
    file.write_bytes(file.read_bytes()[:8192] + b"?" * (file.stat().st_size - 8192))
    with pytest.raises(ArtifactError, match=r"scores\.sqlite is damaged .*delete it"):
        Memory(tmp_path, "digest", {}).get([f"{n:040}" for n in range(2000)])


def test_an_answer_that_was_cut_is_named(tmp_path):
    memory = Memory(tmp_path, "digest", {})
    memory.put({"k": [-1.5, True]})
    memory.connection.execute("UPDATE scores SET value = '[-1.5, tr'")
    with pytest.raises(ArtifactError, match=r"scores\.sqlite is damaged .*delete it"):
        memory.get(["k"])
