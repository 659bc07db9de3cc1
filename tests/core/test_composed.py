"""An edit of `conf/` is seen by status, plan and run, and `params.yaml` by hand is not undone."""

import shutil
import subprocess

import pytest
import yaml

from hornbook.compose import write_params
from hornbook.composed import composed_anew, uncomposed
from hornbook.errors import ConfigError
from tests.conftest import ROOT

VALUE = ("conf/toxigen/laptop.yaml", "resamples_seed: 1234", "resamples_seed: 5")


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "a checkout"
    root.mkdir()
    for name in ("conf", "dagster_project"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("local.yaml"))
    for name in ("dvc.yaml", "params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    for command in (
        ["init", "-q"], ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "all"],
    ):  # fmt: skip
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def edit(root, name, old, new):
    file = root / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def seed(root):
    return yaml.safe_load((root / "params.yaml").read_text())["toxigen"]["resamples_seed"]


def test_a_checkout_as_committed_agrees_and_is_remembered(checkout):
    assert uncomposed(checkout) is None
    assert (checkout / ".hornbook" / "composed.json").exists()
    assert uncomposed(checkout) is None


def test_an_edit_of_conf_is_named_and_taken_up(checkout):
    assert uncomposed(checkout) is None
    edit(checkout, *VALUE)
    found = uncomposed(checkout)
    assert str(found) == "toxigen.resamples_seed: 1234 -> 5"
    assert found.command == "hornbook compose"
    assert "toxigen.resamples_seed: 1234 -> 5" in composed_anew(checkout)
    assert seed(checkout) == 5
    assert uncomposed(checkout) is None


def test_the_overrides_of_the_last_compose_stay(checkout):
    write_params(checkout, ["toxigen.resamples=17"])
    edit(checkout, *VALUE)
    found = uncomposed(checkout)
    assert [reason.what for reason in found.reasons] == ["toxigen.resamples_seed"]
    assert found.command == "hornbook compose 'toxigen.resamples=17'"
    composed_anew(checkout)
    assert yaml.safe_load((checkout / "params.yaml").read_text())["toxigen"]["resamples"] == 17


def test_what_is_committed_agrees_whatever_was_composed_before(checkout):
    write_params(checkout, ["toxigen.resamples=17"])
    subprocess.run(["git", "checkout", "-q", "params.yaml"], cwd=checkout, check=True)
    assert uncomposed(checkout) is None


def test_values_by_hand_are_not_undone(checkout):
    edit(checkout, "params.yaml", "resamples_seed: 1234", "resamples_seed: 9")
    edit(checkout, *VALUE)
    with pytest.raises(ConfigError, match=r"resamples_seed: 9 -> 5\n.*hornbook compose\n.*NAME"):
        composed_anew(checkout)
    assert seed(checkout) == 9


def test_conf_that_does_not_compose_is_an_error_with_its_file(checkout):
    edit(checkout, "conf/toxigen/laptop.yaml", "resamples_seed", "resample_sed")
    with pytest.raises(ConfigError, match="conf/toxigen/laptop"):
        uncomposed(checkout)
