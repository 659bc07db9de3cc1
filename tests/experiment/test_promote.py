"""A promoted experiment is a commit whose conf/ composes to it; nothing is touched before that."""

import shutil
from pathlib import Path

import pytest
import yaml

from hornbook.compose import compose
from hornbook.errors import ArtifactError, ConfigError
from hornbook.experiment.commands import main
from hornbook.experiment.promote import conf_file
from tests.experiment.conftest import compose_levels
from tests.toy import Toy

ROOT = Path(__file__).resolve().parents[2]


def end_of(lab) -> str:
    return (lab.root / "artifacts" / "branch" / "one" / "value.txt").read_text()


def test_its_overrides_stay_in_conf_and_its_artifacts_are_there(lab, capfd):
    main(["run", "deep", "right.level=2", "--target", "branch"])
    assert main(["promote", "deep", "--branch", "deeper"]) == 0
    assert compose_levels(lab.root)["right"]["level"] == 1
    assert main(["promote", "deep"]) == 0
    assert "its artifacts are checked out" in capfd.readouterr().out
    for revision in ("HEAD", "deeper"):
        shown = lab.run("git", "show", "--stat", "--format=%s", revision)
        assert shown.splitlines()[0] == "experiment deep: right.level=2"
        assert "conf/experiment/deep.yaml" in shown
    written = yaml.safe_load((lab.root / "params.yaml").read_text())
    assert compose_levels(lab.root) == written == {"left": {"level": 1}, "right": {"level": 2}}
    assert "chosen by promote" in (lab.root / "conf" / "config.yaml").read_text()
    assert end_of(lab) == "one 2\nbase 1\nraw\n"
    assert lab.run("git", "status", "--porcelain") == ""
    assert lab.run("git", "for-each-ref", "refs/hornbook") == ""

    main(["run", "on-top", "left.level=5", "--target", "base"])
    main(["promote", "on-top"])
    assert compose_levels(lab.root) == {"left": {"level": 5}, "right": {"level": 2}}
    with pytest.raises(ConfigError, match=r"deep began at .* run deep right.level=2"):
        main(["promote", "deep"])


def test_what_would_lose_something_is_refused(lab):
    main(["run", "deep", "right.level=2", "--target", "base"])
    head = lab.run("git", "rev-parse", "HEAD")
    with pytest.raises(ConfigError, match="no experiment 'shallow'; there are: deep"):
        main(["promote", "shallow"])
    lab.edit("tool.py", "import yaml", "import yaml  # edited")
    with pytest.raises(ConfigError, match=r"changes \(tool.py\); commit them"):
        main(["promote", "deep"])
    lab.run("git", "checkout", "-q", "tool.py")
    made = lab.root / "artifacts" / "branch" / "one" / "value.txt"
    made.unlink()
    made.write_text("by hand")
    with pytest.raises(ArtifactError, match=r"artifacts/branch/one: not what dvc.lock records"):
        main(["promote", "deep"])
    assert made.read_text() == "by hand"
    with pytest.raises(ConfigError, match="branch 'master' is there already"):
        main(["promote", "deep", "--branch", "master"])
    lab.dvc("checkout", "--force", "-q")
    lab.dvc("exp", "run", "--temp", "--name", "raw", "--set-param", "right.level=3", "base")
    with pytest.raises(ConfigError, match="raw was made by dvc itself"):
        main(["promote", "raw"])
    assert lab.run("git", "rev-parse", "HEAD") == head


def test_a_shallow_clone_without_a_branch_has_experiments_too(lab, tmp_path, monkeypatch):
    shallow = Toy(tmp_path / "shallow")
    lab.run("git", "clone", "-q", "--depth", "1", f"file://{lab.root}", str(shallow.root))
    shallow.run("git", "checkout", "-q", "--detach")
    shallow.dvc("cache", "dir", "--local", str(lab.root / ".dvc" / "cache"))
    shallow.dvc("checkout", "-q")
    monkeypatch.chdir(shallow.root)
    main(["run", "deep", "right.level=2", "--target", "base"])
    assert main(["promote", "deep"]) == 0
    assert shallow.run("git", "log", "-1", "--format=%s") == "experiment deep: right.level=2\n"
    assert shallow.run("git", "status", "--porcelain") == ""


def test_overrides_that_conf_alone_does_not_repeat_are_refused(lab, monkeypatch):
    main(["run", "deep", "right.level=2", "--target", "base"])
    monkeypatch.setattr(
        "hornbook.experiment.promote.compose",
        lambda root: compose_levels(root) | {"left": {"level": 4}},
    )
    head = lab.run("git", "rev-parse", "HEAD")
    with pytest.raises(ConfigError, match=r"would not compose .* left.level=4"):
        main(["promote", "deep"])
    assert lab.run("git", "rev-parse", "HEAD") == head
    assert lab.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "overrides",
    [
        ["web.filter.threshold=3", "seeds=[0,2]"],
        ["scale=smoke", "web.filter.threshold=2.7"],
        ["web=smoke", "scale=smoke", "report.page.title='a, \"b\" c'"],
        ["mixture=paper"],
    ],
)
def test_the_real_conf_composes_to_the_same_by_file_and_by_command_line(tmp_path, overrides):
    for name in ("conf", "dvc.yaml", "requirements.lock"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    file = tmp_path / "conf" / "experiment" / "strict.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(conf_file(tmp_path, overrides, None))
    assert compose(tmp_path, ["experiment=strict"]) == compose(tmp_path, overrides)
    file.with_stem("next").write_text(conf_file(tmp_path, ["train.z_loss=0.5"], "strict"))
    found = compose(tmp_path, ["experiment=next"])
    assert found == compose(tmp_path, [*overrides, "train.z_loss=0.5"])


def test_a_removed_key_cannot_stand_in_a_file():
    with pytest.raises(ConfigError, match=r"~web.filter.threshold cannot stand in a file"):
        conf_file(ROOT, ["~web.filter.threshold"], None)
