"""Fixtures that several nouns share."""

import os
import shutil
from pathlib import Path

import pytest

from tests.chromium import chromium
from tests.toy import Toy, make_toy

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real benchmarks and web pages, where this machine has them."""
    folder = Path(os.environ.get("HORNBOOK_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; HORNBOOK_SHARED_DATA names another folder")
    return folder


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """The toy graph, not yet run."""
    return make_toy(tmp_path / "a toy")


@pytest.fixture(scope="session")
def _ran_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy graph that was run and committed, for others to begin as copies of it."""
    one = make_toy(tmp_path_factory.mktemp("once") / "a toy")
    one.dvc("repro", "-q")
    one.commit("ran")
    return one.root


@pytest.fixture
def ran(_ran_once: Path, tmp_path: Path) -> Toy:
    """The toy graph, run and committed."""
    return Toy(Path(shutil.copytree(_ran_once, tmp_path / "a toy", symlinks=True)))


@pytest.fixture(scope="module")
def browser():
    """A fresh chromium for the tests of a file."""
    with chromium() as driver:
        yield driver
