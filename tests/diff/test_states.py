"""Two states that do not fit each other, or are damaged: an answer, or what to do."""

import json
import os
import shutil

import pytest

from hornbook.diff.command import main
from hornbook.diff.found import find
from hornbook.diff.html import page
from hornbook.diff.markdown import as_markdown
from hornbook.errors import ConfigError
from hornbook.lineage import cells
from hornbook.lineage.cache import cached_file, cached_files
from hornbook.lineage.explain import main as explain
from hornbook.lineage.manifest import load_lock
from hornbook.lineage.plan import lines as plan_lines
from hornbook.lineage.plan import plan
from hornbook.lineage.status import status
from tests.hostile import LONG, TEXT, is_harmless
from tests.report.sample import ROOT


def told_of(ran, monkeypatch, capsys, *arguments):
    monkeypatch.chdir(ran.root)
    capsys.readouterr()
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_a_state_and_itself_do_not_differ(ran, monkeypatch, capsys):
    told = told_of(ran, monkeypatch, capsys, "HEAD", "HEAD")
    assert told.strip().endswith("no difference in what was recorded")
    assert "<h1>HEAD" in page(find(ran.root, "HEAD", "HEAD"))


def test_a_renamed_stage_is_one_removed_and_one_added(ran, monkeypatch, capsys):
    ran.edit("dvc.yaml", "\n  end:", "\n  finish:")
    ran.edit("dvc.lock", "\n  end:", "\n  finish:")
    told = told_of(ran, monkeypatch, capsys, "HEAD", "workspace")
    assert "1 added, 1 removed" in told
    assert told.index("Added") < told.index("finish") < told.index("Removed") < told.index("end\n")
    shown = page(find(ran.root, "HEAD", "workspace"))
    assert {"finish", "end"} <= {part.partition("<")[0] for part in shown.split(">")}


def test_a_value_of_another_type_is_told_as_it_is_written(ran, monkeypatch, capsys):
    for new in ("[1, 2]", '"1"', "1.0", "{deep: 1}", ".nan"):
        ran.edit("dvc.lock", "left:\n          level: 1", f"left:\n          level: {new}")
        told = told_of(ran, monkeypatch, capsys, "HEAD", "workspace", "--json")
        found = json.loads(told, parse_constant=pytest.fail)
        changes = found["stages"][0]["changes"]
        assert changes[0]["what"].startswith("left.level"), new
        assert found["stages"][0]["verdict"] == "no effect"
        ran.run("git", "checkout", "-q", "dvc.lock")


@pytest.mark.parametrize("file", ["dvc.lock", "params.yaml", "dvc.yaml"])
def test_marks_of_a_merge_are_refused_with_the_file(ran, monkeypatch, file):
    text = (ran.root / file).read_text("utf-8")
    (ran.root / file).write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    monkeypatch.chdir(ran.root)
    with pytest.raises(ConfigError, match=file):
        main(["HEAD", "workspace"])


def test_hostile_names_and_values_move_no_cursor_and_break_no_page(ran, monkeypatch, capsys):
    lock = load_lock(ran.root)
    raw = (ran.root / "dvc.lock").read_text("utf-8")
    name, value = json.dumps(f"x{TEXT}"), json.dumps(LONG)
    raw = raw.replace("right:\n          level: 1", f"right:\n          {name}: {value}")
    raw = raw.replace("\n  end:", f"\n  {json.dumps('end' + TEXT)}:")
    (ran.root / "dvc.lock").write_text(raw, "utf-8")
    told = told_of(ran, monkeypatch, capsys, "HEAD", "workspace", "--contents")
    assert is_harmless(told)
    assert max(map(len, told.splitlines())) < 700
    text = page(find(ran.root, "HEAD", "workspace"))
    assert is_harmless(text)
    assert "<script>window" not in text
    assert "</style></script>" not in text
    assert len(text) < 150_000
    assert is_harmless(as_markdown(find(ran.root, "HEAD", "workspace").stages))
    assert told_of(ran, monkeypatch, capsys, "HEAD", "workspace", "--json").isascii()
    assert explain([f"end{TEXT}"]) == 0
    assert is_harmless(capsys.readouterr().out)
    with pytest.raises(ConfigError, match="neither a git revision nor an experiment"):
        main(["HEAD", f"{TEXT}\udcff".replace("\x00", "")])
    assert "end" in lock


def test_a_damaged_object_is_named_with_the_way_back(ran, monkeypatch, capsys):
    ran.run("git", "tag", "begun")
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    digest = load_lock(ran.root)["base"].out_hash
    files = cached_files(ran.root, digest)
    assert files is not None
    file = cached_file(ran.root, files["value.txt"])
    os.chmod(file, 0o644)  # noqa: PTH101 - the object is read-only
    file.write_bytes(b"\x00{")
    told = told_of(ran, monkeypatch, capsys, "begun", "workspace", "--contents")
    assert f"not compared: {file} is damaged. `rm` it, then `dvc fetch base`" in told
    listing = cached_file(ran.root, digest)
    os.chmod(listing, 0o644)  # noqa: PTH101
    listing.write_text("[")
    (ran.root / "artifacts/base/value.txt").write_text("edited")
    told = told_of(ran, monkeypatch, capsys, "begun", "workspace", "--contents")
    assert "the artifact of base at the work tree is not in the cache here" in told
    assert explain(["base"]) == 0


def test_damaged_tables_are_told_apart_from_missing_ones(ran, monkeypatch, capsys):
    monkeypatch.setattr(cells, "SOURCES", {"end": ("value.txt", cells.read_tables)})
    monkeypatch.chdir(ran.root)
    files = cached_files(ran.root, load_lock(ran.root)["end"].out_hash)
    assert files is not None
    file = cached_file(ran.root, files["value.txt"])
    os.chmod(file, 0o644)  # noqa: PTH101
    file.write_text("{")
    with pytest.raises(ConfigError, match=r"cells of end are damaged .*`rm .*`dvc pull end`"):
        explain(["steps@one"])
    file.unlink()
    with pytest.raises(
        ConfigError, match=r"cells of end are not in the cache here: `dvc pull end`"
    ):
        explain(["steps@one"])


def test_a_plan_and_the_status_of_an_edited_artifact_name_the_same_stages(ran):
    runtime = ran.root / "conf/runtime/default.yaml"
    runtime.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "conf/runtime/default.yaml", runtime)
    file = ran.root / "artifacts/branch/one/value.txt"
    os.chmod(file.parent, 0o755)  # noqa: PTH101
    file.unlink()
    file.write_text("by hand")
    found = plan(ran.root)
    assert {step.stage for step in found.steps} | set(found.again) == set(status(ran.root))
    told = plan_lines(found)
    assert told[-1] == "as recorded again, once that is back: end"
    assert "1 as recorded again, 2 unchanged" in "\n".join(told)
