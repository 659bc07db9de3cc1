"""The invented workspace, run once for all tests of the report."""

from pathlib import Path

import pytest

from tests.report.sample import run_into_place, write_workspace

STAGES = ("benchmark_tables", "toxigen_plots", "report")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the three stages of the report have run; read only."""
    root = write_workspace(tmp_path_factory.mktemp("a workspace"))
    for stage in STAGES:
        run_into_place(root, stage)
    return root
