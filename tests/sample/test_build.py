"""The rest of the sample: library files, sentences, and the command that writes them."""

import ast
import hashlib
import sys
from pathlib import Path

import pytest

from hornbook.errors import InputError
from hornbook.sample.build import build, main
from hornbook.sample.modules import VERSION, checksums, copy_library
from hornbook.sample.sentences import GROUPS, PER_LABEL, sentences

ROOT = Path(__file__).resolve().parents[2]
is_the_version = sys.version.startswith(f"{VERSION} ")
needs_version = pytest.mark.skipif(not is_the_version, reason=f"this is not CPython {VERSION}")


def tree(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@needs_version
def test_two_builds_of_everything_are_equal(tmp_path: Path) -> None:
    build(tmp_path / "one", pages=60)
    build(tmp_path / "a second", pages=60)
    first = tree(tmp_path / "one")
    assert first == tree(tmp_path / "a second")
    assert {"README.md", "web/crawl-00003.warc", "toxigen/sentences.json"} <= set(first)
    assert f"code/cpython-{VERSION}/LICENSE.txt" in first


@needs_version
def test_every_code_file_parses_and_matches_its_checksum(tmp_path: Path) -> None:
    copy_library(tmp_path)
    folder = tmp_path / f"cpython-{VERSION}"
    rows = [line.split("  ") for line in (folder / "CHECKSUMS.sha256").read_text().splitlines()]
    assert {path: digest for digest, path in rows} == checksums()
    assert {str(f.relative_to(folder)) for f in folder.rglob("*.py")} == set(checksums())
    for digest, path in rows:
        content = (folder / path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert ast.parse(content).body, path


def test_the_list_of_modules_is_sorted_and_of_a_readable_size() -> None:
    assert list(checksums()) == sorted(checksums())
    assert 120 <= len(checksums()) <= 170


def test_another_python_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    (library / "abc.py").write_text("another version")
    with pytest.raises(InputError, match=r"abc\.py is not the file of CPython 3\.11\.7"):
        copy_library(tmp_path / "code", library)
    assert not (tmp_path / "code").exists()


def test_sentences_have_the_schema_of_safenlp_and_balanced_groups() -> None:
    rows = sentences()
    assert [row["id"] for row in rows] == list(range(len(rows)))
    assert len({row["text"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == {"id", "text", "label", "toxicity_score", "target_groups"}
        assert row["label"] in {"hate", "neutral"}
        assert 1 <= row["toxicity_score"] <= 5
        assert "{" not in row["text"]
    for group in GROUPS:
        for label in ("hate", "neutral"):
            own = [r for r in rows if r["target_groups"] == [group] and r["label"] == label]
            assert len(own) == PER_LABEL
    assert len(GROUPS) == 13


def test_groups_do_not_share_one_selection_of_templates() -> None:
    starts = {
        tuple(r["text"].split()[0] for r in sentences() if r["target_groups"] == [group])
        for group in GROUPS
    }
    assert len(starts) > 8


def test_the_groups_are_those_of_the_published_sentences(shared: Path) -> None:
    import gzip
    import json

    raw = gzip.decompress((shared / "safenlp" / "toxiGen.json.gz").read_bytes())
    published = {group for row in json.loads(raw) for group in row["target_groups"]}
    assert set(GROUPS) == published


def test_the_command_needs_to_be_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "build" in capsys.readouterr().err


@needs_version
def test_the_sample_at_hand_is_what_the_generator_writes(tmp_path: Path) -> None:
    at_hand = ROOT / "data"
    if not (at_hand / "README.md").exists():
        pytest.skip("data/ is not here: dvc pull data.dvc")
    build(tmp_path)
    assert tree(tmp_path) == tree(at_hand)
