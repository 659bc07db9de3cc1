"""The lines behind a changed hash are those that ran, and said where they are not."""

import hashlib
import subprocess

import pytest

from hornbook.diff.causes import Change
from hornbook.diff.code_lines import MOST_LINES, code_lines
from hornbook.diff.revisions import State
from hornbook.lineage.workspace import folder_hash


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def repository(tmp_path):
    """Two commits below a folder of the repository, the second tagged `two`."""
    root = tmp_path / "a checkout"
    (root / "src" / "rules").mkdir(parents=True)

    def git(*arguments):
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)

    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for tag, value in (("one", 1), ("two", 2)):
        (root / "src" / "a.py").write_text(f"import os\nx = {value}\ny = 0\nz = 0\n")
        (root / "src" / "rules" / "b.yaml").write_text(f"rule: {value}\n")
        (root / "src" / "rules" / "c.yaml").write_text("other: 0\n")
        git("add", ".")
        git("commit", "-q", "-m", tag)
        git("tag", tag)
    return root


def text(value):
    return f"import os\nx = {value}\ny = 0\nz = 0\n"


def between(root, change, a="one", b="two"):
    states = [State(name or "workspace", name, {}) for name in (a, b)]
    return code_lines(root, *states, [change])[change.what]


def test_changed_lines_of_a_file(repository):
    found = between(repository, Change("code", "src/a.py", md5(text(1)), md5(text(2))))
    assert found.lines == (
        "--- src/a.py", "+++ src/a.py", "@@ -1,3 +1,3 @@", " import os", "-x = 1", "+x = 2",
        " y = 0",
    )  # fmt: skip
    assert (found.more, found.remarks) == (0, ())


def test_the_work_tree_is_what_lies_there_now(repository):
    (repository / "src" / "a.py").write_text(text(3))
    change = Change("code", "src/a.py", md5(text(2)), md5(text(3)))
    found = between(repository, change, "two", None)
    assert {"-x = 2", "+x = 3"} <= set(found.lines)
    assert found.remarks == ()


def test_code_that_is_not_what_ran_is_said(repository):
    ran = md5("what somebody had not committed")
    found = between(repository, Change("code", "src/a.py", md5(text(1)), ran))
    assert len(found.remarks) == 1
    said = f"src/a.py of two hashes to {md5(text(2))[:8]}, but its dvc.lock was made with {ran[:8]}"
    assert found.remarks[0].startswith(said)


def test_a_folder_is_compared_file_by_file(repository):
    hashes = [
        folder_hash({"b.yaml": md5(f"rule: {value}\n"), "c.yaml": md5("other: 0\n")})
        for value in (1, 2)
    ]
    found = between(repository, Change("code", "src/rules", *hashes))
    assert [line for line in found.lines if line[0] in "+-"] == [
        "--- src/rules/b.yaml", "+++ src/rules/b.yaml", "-rule: 1", "+rule: 2",
    ]  # fmt: skip
    assert found.remarks == ()


def test_a_file_that_only_one_side_reads_and_both_have_has_no_lines(repository):
    found = between(repository, Change("code", "src/rules/c.yaml", "absent", md5("other: 0\n")))
    assert found.lines == ()
    assert found.remarks == ("the same on both sides; only one of them reads it",)


def test_a_new_file_is_all_new_and_a_long_one_is_cut(repository):
    long = "".join(f"line {number}\n" for number in range(MOST_LINES + 50))
    (repository / "src" / "new.py").write_text(long)
    found = between(repository, Change("code", "src/new.py", "absent", md5(long)), "two", None)
    assert found.lines[0] == "--- /dev/null"
    assert len(found.lines) == MOST_LINES
    assert found.more == 50 + 3  # the heading of the diff is three lines
