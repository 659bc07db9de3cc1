"""An experiment travels between clones, with the artifacts that were asked for and no others."""

import pytest

from hornbook.diff.revisions import experiments
from hornbook.errors import ConfigError, InputError, StageError
from hornbook.experiment.commands import main
from hornbook.experiment.git import without_secrets
from hornbook.experiment.records import record
from hornbook.experiment.share import _broken
from hornbook.lineage.cache import is_cached
from tests.toy import Toy


@pytest.fixture
def origin(lab, tmp_path):
    """A git remote that has HEAD, and experiment `deep` here, which ran two of four stages."""
    place = str(tmp_path / "origin.git")
    lab.run("git", "init", "-q", "--bare", place)
    lab.run("git", "remote", "add", "origin", place)
    lab.run("git", "push", "-q", "origin", "HEAD:master")
    main(["run", "deep", "right.level=2", "--target", "branch@one"])
    return place


def test_another_clone_lists_it_and_takes_one_artifact(lab, origin, tmp_path, monkeypatch, capfd):
    lab.dvc("remote", "add", "-d", "team", str(tmp_path / "store"))
    capfd.readouterr()
    main(["list", "--remote", "origin"])
    assert "no experiment there yet" in capfd.readouterr().out
    main(["push", "deep"])
    told = capfd.readouterr().out.splitlines()
    assert told[0].split()[:3] == ["base", "11", "B"]
    assert told[1].split()[:3] == ["branch@one", "17", "B"]
    assert told[2] == f"4 files of 2 of 4 stages, 28 B, to {tmp_path}/store/files/md5"
    assert told[3] == "4 files sent, 0 were there already"
    revision = experiments(lab.root)["deep"]
    assert told[4] == f"deep is at origin: {revision[:10]}"
    main(["push", "deep", "--stage", "base"])
    assert "0 files sent, 2 were there already" in capfd.readouterr().out

    other = _clone(lab, origin, tmp_path, monkeypatch)
    main(["list", "--remote", "origin"])
    assert capfd.readouterr().out.split() == ["deep", revision[:10]]
    main(["pull", "deep", "--stage", "branch@one"])
    assert "2 files fetched, 0 were there already" in capfd.readouterr().out
    assert experiments(other.root) == {"deep": revision}
    lock = record(other.root, "deep").lock
    assert is_cached(other.root, lock["branch@one"].out_hash)
    assert not is_cached(other.root, lock["base"].out_hash)
    main(["pull", "deep", "--stage", "branch@one", "--inputs"])
    assert is_cached(other.root, lock["base"].out_hash)
    with pytest.raises(InputError, match="of branch@two, end are not in the cache here"):
        main(["push", "deep", "--stage", "branch@two", "--stage", "end"])


def test_what_the_remote_lacks_is_named_with_who_could_send_it(
    lab, origin, tmp_path, monkeypatch, capfd
):
    lab.dvc("remote", "add", "-d", "team", str(tmp_path / "store"))
    main(["push", "deep", "--stage", "base"])
    _clone(lab, origin, tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"does not have branch@one of deep; who has it sends it"):
        main(["pull", "deep", "--stage", "base", "--stage", "branch@one"])


def test_what_is_unknown_is_answered_with_what_is_there(lab, origin, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no experiment 'shallow'; there are: deep"):
        main(["push", "shallow"])
    with pytest.raises(ConfigError, match="deep has no stage 'nothing'; it recorded base"):
        main(["push", "deep", "--stage", "nothing"])
    with pytest.raises(InputError, match=r"no default remote.* \(it knows none\): dvc remote add"):
        main(["push", "deep"])
    assert lab.run("git", "ls-remote", "origin", "refs/exps/*") == ""
    lab.dvc("remote", "add", "-d", "team", str(tmp_path / "store"))
    with pytest.raises(ConfigError, match="git has no remote 'team' here; it has origin"):
        main(["push", "deep", "--remote", "team"])
    with pytest.raises(StageError, match=r"git ls-remote .* failed"):
        main(["list", "--remote", str(tmp_path / "nowhere")])
    main(["push", "deep"])
    _clone(lab, origin, tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match="origin has no experiment 'shallow'; there are: deep"):
        main(["pull", "shallow"])


def test_another_experiment_of_the_name_is_never_replaced(lab, origin, tmp_path):
    lab.dvc("remote", "add", "-d", "team", str(tmp_path / "store"))
    main(["push", "deep"])
    main(["run", "deep", "right.level=3", "--target", "base"])
    with pytest.raises(ConfigError, match=r"origin has another experiment 'deep'.*dvc exp rename"):
        main(["push", "deep"])
    with pytest.raises(ConfigError, match=r"another experiment 'deep' is here.*dvc exp rename"):
        main(["pull", "deep"])


def test_keys_that_are_missing_are_named_and_those_in_an_address_are_not():
    told = _broken("deep", "sent", RuntimeError("Unable to locate credentials"))
    assert "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in told
    told = _broken("deep", "sent", OSError("no answer from https://ana:hush@s3.example.org/x"))
    assert "hush" not in told
    assert "AWS" not in told
    assert without_secrets("https://ana:hush@host/a@b") == "https://host/a@b"


def _clone(lab: Toy, origin: str, tmp_path, monkeypatch) -> Toy:
    lab.run("git", "clone", "-q", "-b", "master", origin, str(tmp_path / "b"))
    other = Toy(tmp_path / "b")
    monkeypatch.chdir(other.root)
    other.dvc("remote", "add", "-d", "team", str(tmp_path / "store"))
    return other
