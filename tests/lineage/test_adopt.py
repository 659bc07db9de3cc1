"""Artifacts of changed stages are kept with a reason, and the reason ends when they are made."""

import pytest

from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.adopt import adopted, main
from hornbook.lineage.explain import provenance
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.workspace import Hasher, stale_stages
from tests.toy import make_toy

COMMENT = ("tool.py", "import pathlib", "# what it writes stays\nimport pathlib")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    one = make_toy(tmp_path / "a toy")
    one.dvc("repro", "-q")
    one.commit("run once")
    monkeypatch.chdir(one.root)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    one.run("git", "config", "user.name", "Ada")
    return one


def stale(toy):
    return set(stale_stages(load_graph(toy.root), load_lock(toy.root), Hasher(toy.root)))


def test_a_comment_costs_a_reason_and_no_run(toy, capsys):
    before = load_lock(toy.root)
    toy.edit(*COMMENT)
    assert len(stale(toy)) == 4
    assert main(["--all", "--reason", "a comment"]) == 0
    assert not stale(toy)
    assert toy.dvc("status").strip().endswith("up to date.")
    now = load_lock(toy.root)
    assert {name: one.outs for name, one in now.items()} == {
        name: one.outs for name, one in before.items()
    }
    assert "base                         adopted although code tool.py changed" in (
        capsys.readouterr().out
    )
    assert adopted(toy.root, now)["end"]["reason"] == "a comment"
    node = provenance(toy.root, now, "end")["branch@one"]
    assert node.adopted["by"] == "Ada"


def test_it_ends_when_the_stage_runs_again(toy):
    toy.edit(*COMMENT)
    main(["--all", "--reason", "a comment"])
    toy.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    toy.dvc("repro", "-q")
    assert set(adopted(toy.root, load_lock(toy.root))) == {"base"}


def test_it_belongs_to_the_revision(toy):
    toy.edit(*COMMENT)
    main(["base", "--reason", "a comment"])
    toy.commit("adopted")
    first = load_lock(toy.root, "HEAD~1")
    assert not adopted(toy.root, first, "HEAD~1")
    assert set(adopted(toy.root, load_lock(toy.root, "HEAD"), "HEAD")) == {"base"}


def test_an_artifact_edited_by_hand_is_adopted_and_what_reads_it_goes_stale(toy):
    file = toy.root / "artifacts" / "base" / "value.txt"
    file.chmod(0o644)
    file.write_text("mended by hand\n")
    assert main(["base", "--reason", "the source has a typing error"]) == 0
    assert stale(toy) == {"branch@one", "branch@two", "end"}
    toy.dvc("repro", "-q")
    assert "mended by hand" in (toy.root / "artifacts" / "end" / "value.txt").read_text()


def test_what_was_made_from_something_stale_is_not_adopted(toy):
    toy.edit(*COMMENT)
    with pytest.raises(ArtifactError, match=r"out of date:\n  base: code tool.py changed"):
        main(["branch", "--reason", "a comment"])
    assert len(stale(toy)) == 4


def test_nothing_to_adopt_is_said(toy):
    toy.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    toy.run("rm", "-r", "artifacts/base")
    with pytest.raises(ArtifactError, match="nothing to adopt; the recorded one comes back by dvc"):
        main(["base", "--reason", "no"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["base"], "needs its --reason"),
        (["base", "--reason", " "], "needs its --reason"),
        (["--reason", "x"], "name the stages to adopt"),
        (["base", "--all", "--reason", "x"], "name the stages to adopt"),
        (["bas", "--reason", "x"], "did you mean base"),
    ],
)
def test_a_call_without_sense_says_what_it_wants(toy, arguments, told):
    with pytest.raises(ConfigError, match=told):
        main(arguments)


def test_the_list_shows_reasons(toy, capsys):
    main(["--list"])
    assert capsys.readouterr().out == "nothing is adopted\n"
    toy.edit(*COMMENT)
    main(["base", "--reason", "a comment"])
    capsys.readouterr()
    main(["--list"])
    assert capsys.readouterr().out == "base was adopted, not made again: a comment (Ada)\n"
