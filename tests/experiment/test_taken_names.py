"""What becomes of an experiment whose name another run takes: nothing is lost before it ends."""

from pathlib import Path

import pytest

from hornbook.diff.revisions import experiments, resolve_revision
from hornbook.experiment.commands import BEFORE, _set_aside, listing, main

NAME = "other-level"


def begin(toy, level: int) -> str:
    """An experiment of the toy graph; its revision."""
    toy.dvc("exp", "run", "--temp", "--name", NAME, "--set-param", f"right.level={level}")
    return experiments(toy.root)[NAME]


def _cut(root: Path, error: type[BaseException]) -> None:
    with _set_aside(root, NAME):
        assert list(experiments(root)) == [f"{NAME}{BEFORE}"]
        raise error


def test_an_experiment_comes_back_when_the_run_that_takes_its_name_fails_or_is_cut(ran):
    root, first = ran.root, begin(ran, 2)
    for error in (KeyboardInterrupt, OSError):
        with pytest.raises(error):
            _cut(root, error)
        assert experiments(root) == {NAME: first}
    ran.dvc("exp", "rename", NAME, f"{NAME}{BEFORE}")  # as a kill leaves it
    with _set_aside(root, NAME):
        assert experiments(root) == {f"{NAME}{BEFORE}": first}
    assert experiments(root) == {NAME: first}


def test_an_experiment_gives_way_to_a_new_one_of_its_name(ran):
    root, first = ran.root, begin(ran, 2)
    with _set_aside(root, NAME):
        second = begin(ran, 3)
    assert first != second
    assert experiments(root) == {NAME: second}
    assert resolve_revision(root, NAME) == second
    (line,) = listing(root)
    assert line.split() == [NAME, second[:10], "right.level=3"]


def test_an_unknown_name_is_not_removed_and_those_known_are_named(ran, monkeypatch):
    begin(ran, 2)
    monkeypatch.chdir(ran.root)
    with pytest.raises(Exception, match=f"no experiment 'nothing'; there are: {NAME}"):
        main(["remove", "nothing"])
    assert main(["remove", NAME]) == 0
    assert experiments(ran.root) == {}
    assert listing(ran.root)[0].startswith("no experiment yet")
