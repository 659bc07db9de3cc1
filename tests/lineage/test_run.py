"""`hornbook run` on the toy graph: what it refuses to begin, and what it says at its end."""

import shutil
from pathlib import Path

import pytest

from hornbook.errors import InputError
from hornbook.lineage.run import main
from tests.toy import make_toy

RUNTIME = Path(__file__).resolve().parents[2] / "conf" / "runtime" / "default.yaml"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The toy graph whose input a setting names, as `data.web` does."""
    one = make_toy(tmp_path / "a checkout")
    one.edit("dvc.yaml", "deps: [tool.py, data/raw.txt]", "deps: [tool.py, '${data.raw}']")
    (one.root / "params.yaml").write_text(
        "data:\n  raw: data/raw.txt\nleft:\n  level: 1\nright:\n  level: 1\nseeds: [0, 1]\n"
    )
    (one.root / "conf" / "runtime").mkdir(parents=True)
    shutil.copy(RUNTIME, one.root / "conf" / "runtime")
    one.commit("toy")
    monkeypatch.chdir(one.root)
    return one


def test_an_input_that_is_not_there_is_named_by_its_setting_before_anything_runs(toy, capsys):
    toy.edit("params.yaml", "data/raw.txt", "/no/crawl")
    with pytest.raises(InputError, match=r"^data\.raw=/no/crawl is not there, and base would read"):
        main([])
    assert "Running stage" not in capsys.readouterr().out


def test_a_run_counts_what_is_done_and_what_failed(toy, capsys):
    assert main(["base"]) == 0
    assert "1 stage done (1 executed)\n" in capsys.readouterr().out
    toy.edit("tool.py", "out = pathlib", "assert name != 'one', 'one is too much'\nout = pathlib")
    assert main(["branch@one"]) == 2
    said = capsys.readouterr()
    assert "1 stage done (1 executed), 1 failed\n" in said.out
    assert "in all predicted" not in said.out
    assert "one is too much" in said.err
