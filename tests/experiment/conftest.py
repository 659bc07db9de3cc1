"""The toy graph with a runtime and a conf of its own, in which experiments run."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """defaults:
  - _self_
  - experiment: null # chosen by promote
left: {level: 1}
right: {level: 1}
"""


def compose_levels(root: Path, overrides=()) -> dict:
    """What the toy's conf composes to; the toy has no schema."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str((root / "conf").resolve()), version_base=None):
        return OmegaConf.to_container(compose("config", list(overrides)))


@pytest.fixture
def lab(ran, monkeypatch):
    """A toy graph in which `hornbook experiment` runs."""
    runtime = ran.root / "conf" / "runtime"
    runtime.mkdir(parents=True)
    shutil.copyfile(ROOT / "conf" / "runtime" / "default.yaml", runtime / "default.yaml")
    (ran.root / "conf" / "config.yaml").write_text(CONFIG)
    with (ran.root / ".gitignore").open("a") as file:
        file.write("/conf/runtime/local.yaml\n")
    ran.commit("conf")
    for place in ("points", "promote"):
        monkeypatch.setattr(f"hornbook.experiment.{place}.compose", compose_levels)
    monkeypatch.setattr("hornbook.experiment.promote.write_params", lambda _: False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    for name in ("DVC_ROOT", *(name for name in os.environ if name.startswith("GIT_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ran.root)
    return ran
