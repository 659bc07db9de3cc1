"""What can be freed: nothing that anybody refers to or uses, and all the rest."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hornbook.diff.revisions import experiments
from hornbook.errors import ConfigError, StageError
from hornbook.lineage.cache import cached_file, is_cached
from hornbook.lineage.gc import main
from hornbook.lineage.leftovers import WORKSPACES, leftovers, remove
from hornbook.lineage.manifest import git_show, load_graph, load_lock, parse_lock
from hornbook.lineage.processes import RWLOCK
from hornbook.lineage.unused import free, unused
from hornbook.lineage.workspace import Hasher, identity
from tests.toy import Toy


def run_with(toy, level: int) -> str:
    """The hash of `end` with another level, run in the work tree."""
    text = (toy.root / "params.yaml").read_text()
    head, _, _ = text.partition("right:")
    (toy.root / "params.yaml").write_text(f"{head}right:\n  level: {level}\n")
    toy.dvc("repro", "-q")
    return load_lock(toy.root)["end"].out_hash


def hashes(root: Path) -> set[str]:
    return {one.digest for one in unused(root).unused}


def test_what_nothing_refers_to_is_named_with_its_size_and_stage(ran):
    assert unused(ran.root).unused == []
    gone = run_with(ran, 2)
    run_with(ran, 3)
    found = unused(ran.root)
    assert gone in {one.digest for one in found.unused}
    # of three stages each a folder and the file in it
    assert len(found.unused) == 6
    assert found.kept_because is None
    assert all(one.bytes == one.path.stat().st_size > 0 for one in found.unused)
    base = load_lock(ran.root)["base"].out_hash
    assert base not in {one.digest for one in found.unused}


def test_what_branches_tags_remotes_and_the_work_tree_refer_to_stays(ran, monkeypatch):
    root, kept = ran.root, {}
    gone = run_with(ran, 9)
    for level, ref in enumerate(("heads/a", "tags/b", "remotes/origin/c"), 2):
        kept[ref] = run_with(ran, level)
        ran.commit(ref)
        ran.run("git", "update-ref", f"refs/{ref}", "HEAD")
        ran.run("git", "reset", "-q", "--hard", "HEAD~1")
    kept["work tree"] = run_with(ran, 6)
    monkeypatch.chdir(root)
    assert main(["--yes"]) == 0
    assert {name: is_cached(root, digest) for name, digest in kept.items()} == dict.fromkeys(
        kept, True
    )
    assert not cached_file(root, gone).exists()
    assert hashes(root) == set()


def test_what_an_experiment_refers_to_stays_and_goes_with_it(ran):
    ran.dvc("exp", "run", "--temp", "--name", "two", "--set-param", "right.level=2")
    kept = parse_lock(git_show(ran.root, experiments(ran.root)["two"], "dvc.lock") or "")
    assert kept["end"].out_hash != load_lock(ran.root)["end"].out_hash
    assert free(ran.root) == 0
    assert is_cached(ran.root, kept["end"].out_hash)
    ran.dvc("exp", "remove", "two")
    assert free(ran.root) == 6
    assert not is_cached(ran.root, kept["end"].out_hash)


def test_what_the_report_names_stays_with_its_files(ran):
    named = run_with(ran, 2)
    page = ran.root / "artifacts/report/page/index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<td>{named}</td>")
    gone = run_with(ran, 3)
    run_with(ran, 1)
    assert free(ran.root) == 12 - 2
    assert is_cached(ran.root, named)
    assert not is_cached(ran.root, gone)


def test_it_only_says_so_unless_it_may(ran, monkeypatch, capsys):
    run_with(ran, 2)
    run_with(ran, 1)
    monkeypatch.chdir(ran.root)
    before = {str(file) for file in ran.root.rglob("*")}
    assert main([]) == 0
    told = capsys.readouterr().out
    assert "free  cache: python" in told
    assert "can be freed: hornbook gc --yes" in told
    assert {str(f) for f in ran.root.rglob("*") if ".dvc/tmp" not in str(f)} <= before
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (len(found["objects"]), found["kept_because"]) == (6, None)
    assert found["bytes"] == sum(one["bytes"] for one in found["objects"])
    assert len(hashes(ran.root)) == 6
    assert main(["--yes"]) == 0
    assert hashes(ran.root) == set()
    ran.dvc("status")
    assert is_cached(ran.root, load_lock(ran.root)["end"].out_hash)


def test_while_a_stage_runs_the_cache_stays(ran):
    run_with(ran, 2)
    run_with(ran, 1)
    rwlock = ran.root / RWLOCK
    alive = {"pid": os.getpid(), "cmd": "repro end"}
    rwlock.write_text(json.dumps({"write": {"/x": alive}, "read": {}}))
    found = unused(ran.root)
    assert f"process {os.getpid()} (repro end)" in (found.kept_because or "")
    with pytest.raises(StageError, match="left as it is: in use"):
        free(ran.root)
    ended = subprocess.Popen(["true"])
    ended.wait()
    rwlock.write_text(json.dumps({"write": {"/x": {**alive, "pid": ended.pid}}, "read": {}}))
    assert unused(ran.root).kept_because is None


def test_a_cache_that_others_may_share_stays_until_they_are_named(ran, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(ran.root, other, symlinks=True)
    shutil.move(ran.root / ".dvc/cache", tmp_path / "cache")
    shutil.rmtree(other / ".dvc/cache")
    for one in (ran.root, other):
        (one / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n")
    (other / "params.yaml").write_text("left:\n  level: 1\nright:\n  level: 5\n")
    Toy(other).dvc("repro", "-q")
    theirs = load_lock(other)["end"].out_hash
    assert theirs in hashes(ran.root)
    assert "where other checkouts may have theirs" in (unused(ran.root).kept_because or "")
    assert unused(ran.root, [other]).unused == []
    assert unused(ran.root, [other]).kept_because is None
    with pytest.raises(ConfigError, match="this is no DVC checkout"):
        unused(ran.root, [tmp_path])
    free(ran.root, [Path(ran.root)])
    assert not is_cached(ran.root, theirs)


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * 1000)
    return folder


def by_name(root: Path, *, has_scores: bool = False) -> dict[str, tuple[bool, str]]:
    found = leftovers(root, has_scores=has_scores)
    assert all(one.bytes >= 1000 for one in found)
    return {one.path.name: (one.is_free, one.reason) for one in found}


def test_of_interrupted_stages_only_those_go_that_nothing_leads_to(ran):
    root, graph = ran.root, load_graph(ran.root)
    now = identity(graph.stages["base"], graph, Hasher(root))
    pending = root / ".hornbook/pending"
    names = [f"base-{now}", "base-0123456789abcdef", "gone@x-0123456789abcdef", "end-00"]
    for name in names:
        made(pending / name)
    with (pending / "base-0123456789abcdef/held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        found = by_name(root)
        assert found["base-0123456789abcdef"] == (False, "base runs")
        for one in leftovers(root, has_scores=False):
            remove(one) if one.path.name == "base-0123456789abcdef" else None
        assert (pending / "base-0123456789abcdef/file").exists()
    found = by_name(root)
    assert found[names[0]] == (False, "base goes on from here when it runs")
    assert [found[name][0] for name in names[1:]] == [True, True, True]
    shutil.rmtree(root / "artifacts/branch/one")
    assert by_name(root)["end-00"] == (
        False, "may be of end as it is: artifacts/branch/one is missing, which would say"
    )  # fmt: skip


def test_workspaces_go_when_nobody_works_in_them(ran):
    folder = made(ran.root / WORKSPACES / "tmpabc")
    made(ran.root / WORKSPACES / "run")
    assert by_name(ran.root)["tmpabc"][0] is False, "it may be one that is being set up"
    os.utime(folder, (0, 0))
    (folder / "inner").mkdir()
    os.utime(folder, (0, 0))
    with subprocess.Popen(["sleep", "60"], cwd=folder / "inner") as process:
        assert by_name(ran.root)["tmpabc"] == (
            False, f"an experiment runs in it (process {process.pid})"
        )  # fmt: skip
        assert f"process {process.pid}" in (unused(ran.root).kept_because or "")
        process.kill()
    assert by_name(ran.root) == {"tmpabc": (True, "its experiment has ended")}


def test_copies_go_and_stores_only_where_they_cost_nothing(ran, monkeypatch, capsys):
    copy = made(ran.root / ".hornbook/verify/base")
    made(ran.root / ".hornbook/store/teacher")
    made(ran.root / ".hornbook/store/scores")
    found = by_name(ran.root)
    assert found["base"] == (True, "its verification was cut off")
    assert [found[name][0] for name in ("teacher", "scores")] == [False, False]
    with (copy / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert by_name(ran.root)["base"] == (False, "base is being verified")
    monkeypatch.chdir(ran.root)
    assert main(["--yes", "--scores"]) == 0
    assert "2 kB freed" in capsys.readouterr().out
    assert [path.name for path in (ran.root / ".hornbook/store").iterdir()] == ["teacher"]
    assert not copy.exists()


def test_files_that_have_other_names_free_nothing(ran):
    copy = made(ran.root / ".hornbook/verify/base")
    (copy / "linked").hardlink_to(ran.root / "tool.py")
    (one,) = leftovers(ran.root, has_scores=False)
    assert one.bytes == 1000


def test_elsewhere_it_says_that_there_is_no_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="is no checkout"):
        main([])
