"""What an experiment tells DVC to change turns one params.yaml into the other, whole."""

import shutil
from pathlib import Path

import pytest
import yaml

from hornbook.compose import compose, render
from hornbook.experiment.commands import changed_values

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = "{type: expect_column_values_to_not_be_null, kwargs: {column: value}}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], ["web.filter.threshold=3"]),
        ([], ["seeds=[0,1,10]"]),
        (["seeds=[0,1,2]"], ["seeds=[0,2]"]),
        (["seeds=[0,1,2]"], []),
        ([], [f"report.tables.expectations=[{EXPECTED}]"]),
        ([], ["mixture=paper"]),
    ],
)
def test_dvc_arrives_at_the_composed_values(tmp_path, before, after):
    from dvc.utils.hydra import apply_overrides

    for name in ("conf", "dvc.yaml", "requirements.lock"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    file = tmp_path / "params.yaml"
    file.write_text(render(compose(tmp_path, before)))
    apply_overrides(file, changed_values(tmp_path, after))
    assert yaml.safe_load(file.read_text()) == compose(tmp_path, after)
