"""Files of a tree: found in order, never through a link, read to a limit, named harmlessly."""

import os

import pytest

from hornbook.code.files import File, decoded, licence_of, pattern, read, recorded, walk
from tests.code.rules import GOOD

GLOBS = ["**/*.py"]


def found(root, globs=GLOBS):
    return {file.name: file.fault for file in walk(root, globs)}


def test_files_come_in_the_order_of_their_paths(tmp_path):
    for name in ("b/z.py", "a.py", "b/a/x.py", "c.txt", "b.py", "b/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(GOOD)
    assert list(found(tmp_path)) == ["a.py", "b.py", "b/a.py", "b/z.py", "b/a/x.py"]


def test_links_are_counted_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text(GOOD)
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text(GOOD)
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "note").symlink_to(root / "a.py")  # matches nothing and leads to no folder
    assert found(root) == {
        "a.py": None, "folder": "symlink", "link.py": "symlink", "loop": "symlink",
    }  # fmt: skip


def test_a_file_that_became_a_link_after_the_walk_is_not_read(tmp_path):
    (tmp_path / "other.py").write_text(GOOD)
    file = next(walk(tmp_path, GLOBS))
    (tmp_path / "link.py").symlink_to(tmp_path / "other.py")
    late = file._replace(path=str(tmp_path / "link.py"))
    assert read(file, "MIT", max_bytes=999).text == GOOD
    assert read(late, "MIT", max_bytes=999).fault == "unreadable"


def test_pipes_and_vanished_files_are_unreadable(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "gone.py").write_text(GOOD)
    files = list(walk(tmp_path, GLOBS))
    (tmp_path / "gone.py").unlink()
    assert [read(file, "MIT", max_bytes=999).fault for file in files] == ["unreadable"] * 2


def test_a_file_is_read_up_to_the_limit_and_not_beyond(tmp_path):
    (tmp_path / "a.py").write_text(GOOD)
    (file,) = walk(tmp_path, GLOBS)
    assert read(file, "MIT", max_bytes=len(GOOD)).text == GOOD
    assert read(file, "MIT", max_bytes=len(GOOD) - 1).fault == "too_large"
    grown = file._replace(num_bytes=1)  # since the walk
    assert read(grown, "MIT", max_bytes=len(GOOD) - 1).fault == "too_large"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"x = 1\n", "x = 1\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"x = 1\r\ny = 2\r\n", "x = 1\ny = 2\n"),
        (b"x = 1\ry = 2", "x = 1\ny = 2"),
        ("# coding: latin-1\nx = 'ä'\n".encode("latin-1"), "# coding: latin-1\nx = 'ä'\n"),
        (
            "#!/bin/x\n# -*- coding: cp1252 -*-\n# €\n".encode("cp1252"),
            "#!/bin/x\n# -*- coding: cp1252 -*-\n# €\n",
        ),
        ("x = 'ä'\n".encode("latin-1"), None),
        ("\n\n# coding: latin-1\n# ä\n".encode("latin-1"), None),  # too late in the file
        (b"# coding: rot13\n\xff\n", None),
        (b"# coding: unicode_escape\n\xff\n", None),
        (b"# coding: no-such-thing\n\xff\n", None),
        ("x = 1\n".encode("utf-16"), None),
    ],
)
def test_text_is_utf_8_or_what_its_head_says(raw, text):
    assert decoded(raw) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.py", "a/b.py"),
        ("../../etc/passwd", "etc/passwd"),
        ("/absolute/a.py", "absolute/a.py"),
        ("a//./b/../c.py", "a/b/c.py"),
        ("..\\..\\windows\\a.py", "windows/a.py"),
        ("a\nb\0c.py", "a?b?c.py"),
        (b"caf\xe9.py", "caf/xe9.py"),
        ("\ud800.py", "ud800.py"),
        ("..", "?"),
        ("x" * 900, "x" * 400),
    ],
)
def test_a_name_is_recorded_as_a_short_relative_path(name, expected):
    assert recorded(name) == expected


@pytest.mark.parametrize(
    ("glob", "name", "fits"),
    [
        ("**/*.py", "a.py", True),
        ("**/*.py", "b/c/a.py", True),
        ("**/*.py", "a.pyc", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/b/a.py", False),
        ("src/**", "src/b/a.py", True),
        ("a?.py", "ab.py", True),
        ("a?.py", "a/.py", False),
        ("a+.py", "aa.py", False),
    ],
)
def test_globs_mean_what_they_mean_in_a_shell(glob, name, fits):
    import re

    assert bool(re.fullmatch(pattern(glob), name)) is fits


def test_the_longest_start_of_a_path_decides_its_licence():
    licences = {"": "MIT", "lib/": "ISC", "lib/py": "PSF-2.0"}
    assert licence_of("lib/python.py", licences) == "PSF-2.0"
    assert licence_of("lib/other.py", licences) == "ISC"
    assert licence_of("main.py", licences) == "MIT"
    assert licence_of("main.py", {"lib/": "ISC"}) == ""


def test_a_fault_of_the_walk_stays_the_reason():
    assert read(File("a.py", "/nowhere", 0, "symlink"), "MIT", max_bytes=9).fault == "symlink"
