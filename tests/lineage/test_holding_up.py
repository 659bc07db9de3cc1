"""Full disks, caches that cannot be written or are shared, and what they leave behind."""

import os
import shutil
from pathlib import Path

import pytest

from hornbook.errors import StageError
from hornbook.lineage import holding
from hornbook.lineage.cache import cached_file, is_cached, note_user, unkept, users
from hornbook.lineage.holding import held, is_held, require_room, require_writable, using_cache
from hornbook.lineage.manifest import load_lock
from hornbook.lineage.repro import NotKeptError, Repro, keep, unrecorded
from hornbook.lineage.run import main
from hornbook.lineage.unused import free, unused
from tests.toy import Toy

RUNTIME = Path(__file__).parents[2] / "conf" / "runtime" / "default.yaml"


@pytest.fixture
def toy(ran, monkeypatch):
    """The toy graph in the current folder, with a runtime."""
    (ran.root / "conf" / "runtime").mkdir(parents=True)
    shutil.copy(RUNTIME, ran.root / "conf" / "runtime")
    monkeypatch.chdir(ran.root)
    return ran


def lose(root: Path, stage: str) -> str:
    """Take from the cache what a full disk would have kept out of it."""
    digest = load_lock(root)[stage].out_hash
    for file in (cached_file(root, digest), cached_file(root, _inner(root, digest))):
        file.chmod(0o644)
        file.unlink()
    return digest


def _inner(root: Path, digest: str) -> str:
    return cached_file(root, digest).read_text().split('"md5": "')[1][:32]


def test_what_the_cache_could_not_take_is_put_there_by_the_next_run(toy, capsys):
    digest = lose(toy.root, "end")
    assert unkept(toy.root) == ["end"]
    assert main([]) == 0
    told = capsys.readouterr().out
    assert "in the cache now, as there was no room before: end" in told
    assert "Running stage" not in told
    assert is_cached(toy.root, digest)


def test_what_it_cannot_take_yet_stays_and_is_told(toy, monkeypatch):
    digest = lose(toy.root, "end")
    place = cached_file(toy.root, digest)
    shutil.rmtree(place.parent, ignore_errors=True)
    place.parent.write_text("in the way")  # as little to be written as a full disk
    with pytest.raises(
        NotKeptError, match=r"(?s)end ran, but artifacts/end is not whole .*only copy"
    ):
        keep(toy.root, ["end"])
    assert (toy.root / "artifacts/end/value.txt").exists()
    place.parent.unlink()
    keep(toy.root, ["end"])
    assert is_cached(toy.root, digest)


def test_a_stage_that_dvc_could_not_record_is_not_replaced_by_its_last_artifact():
    told = unrecorded("train@x", "artifacts/train/x")
    assert "hornbook adopt train@x --reason" in told
    assert "artifacts/train/x, whole" in told


def test_a_full_disk_is_told_before_dvc_waits_for_it(toy, monkeypatch):
    usage = shutil.disk_usage(toy.root)
    require_room(toy.root)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StageError, match=r"the disk of .* is full \(0\.0 MB are free\); free some"):
        Repro(toy.root, "base", print).run()


def test_a_cache_that_cannot_be_written_is_told_before_anything_runs(toy, monkeypatch):
    cache = toy.root / ".dvc" / "cache"
    require_writable(cache)
    known = os.access
    monkeypatch.setattr(
        "os.access", lambda path, mode: Path(path) != cache / "files/md5" and known(path, mode)
    )
    with pytest.raises(
        StageError, match=r"cannot be written, .*files/md5 \(yours, with mode 755\)"
    ):
        Repro(toy.root, "base", print).run()


def test_a_lock_is_gone_with_its_file(tmp_path):
    file = tmp_path / "one.held"
    with held(file) as is_ours:
        assert is_ours
        assert is_held(file)
        assert f"process {os.getpid()} " in holding.holders(file)
        with held(file) as again:
            assert not again
        assert file.exists(), "who did not get it leaves it"
    assert not file.exists()
    assert not is_held(file)


def test_a_clone_that_has_run_on_a_cache_loses_nothing_by_the_gc_of_another(toy, tmp_path):
    other = tmp_path / "other"
    toy.run("git", "clone", "-q", ".", str(other))
    (other / ".dvc/config.local").write_text(f"[cache]\n    dir = {toy.root}/.dvc/cache\n")
    (other / "data").mkdir(exist_ok=True)
    (other / "data" / "raw.txt").write_text("raw\n")
    (other / "params.yaml").write_text("left:\n  level: 1\nright:\n  level: 5\n")
    Toy(other).dvc("repro", "-q", "branch@one")
    theirs = load_lock(other)["branch@one"].out_hash
    assert theirs in {one.digest for one in unused(toy.root).unused}, "nobody has said so"
    note_user(other)
    assert users(toy.root) == [other.resolve()]
    assert unused(toy.root).unused == []
    assert free(toy.root) == 0
    assert is_cached(toy.root, theirs)
    shutil.rmtree(other)
    assert users(toy.root) == []


def test_other_work_trees_on_the_cache_lose_nothing_either(toy, tmp_path):
    other = tmp_path / "tree"
    toy.run("git", "worktree", "add", "-q", "--detach", str(other))
    (other / ".dvc/config.local").write_text(f"[cache]\n    dir = {toy.root}/.dvc/cache\n")
    (other / "data").mkdir(exist_ok=True)
    (other / "data" / "raw.txt").write_text("raw\n")
    (other / "params.yaml").write_text("left:\n  level: 1\nright:\n  level: 5\n")
    Toy(other).dvc("repro", "-q", "branch@one")
    assert free(toy.root) == 0
    assert is_cached(toy.root, load_lock(other)["branch@one"].out_hash)


def test_a_cache_inside_the_checkout_has_no_list_of_users(toy):
    with using_cache(toy.root):
        assert not (toy.root / ".dvc/cache/hornbook.users").exists()
