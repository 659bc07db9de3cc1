"""Tables that are not those of today's values, code and data are not shown without saying so."""

import pytest

from hornbook.errors import ArtifactError
from hornbook.lineage.adopt import adopt
from hornbook.report.terminal import require_up_to_date
from tests.toy import DVC_YAML, make_toy


@pytest.fixture
def toy(tmp_path):
    one = make_toy(tmp_path / "a toy")
    (one.root / "dvc.yaml").write_text(DVC_YAML.replace("  end:\n", "  benchmark_tables:\n"))
    one.dvc("repro", "-q")
    return one


def test_tables_of_today_are_shown(toy):
    require_up_to_date(toy.root)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("params.yaml", "left:\n  level: 1", "left:\n  level: 2", "base: left.level: 1 -> 2"),
        ("tool.py", "import pathlib", "import os, pathlib", "base: code tool.py changed"),
        ("data/raw.txt", "raw", "other", "base: data data/raw.txt changed"),
        (
            "artifacts/branch/one/value.txt",
            "one",
            "two",
            "branch@one: artifacts/branch",
        ),
    ],
)
def test_others_are_refused_with_the_reason_and_the_remedies(toy, file, old, new, told):
    (toy.root / file).chmod(0o644)
    toy.edit(file, old, new)
    with pytest.raises(ArtifactError) as refused:
        require_up_to_date(toy.root)
    for part in (told, "hornbook run benchmark_tables", "hornbook adopt", "hornbook table --stale"):
        assert part in str(refused.value)


def test_adopted_ones_are_shown(toy):
    toy.edit("tool.py", "import pathlib", "import os, pathlib")
    adopt(toy.root, ["base", "branch@one", "branch@two", "benchmark_tables"], "an unused import")
    require_up_to_date(toy.root)


def test_none_at_all_are_not_called_stale(toy):
    toy.run("rm", "-r", "artifacts/end")
    with pytest.raises(ArtifactError, match="no tables here yet: hornbook run benchmark_tables"):
        require_up_to_date(toy.root)
