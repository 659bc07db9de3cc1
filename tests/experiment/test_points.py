"""Sweeps by Hydra's grammar: every point has its name, its overrides and checked values."""

import subprocess
from pathlib import Path

import pytest

from hornbook.errors import ConfigError
from hornbook.experiment.points import points, require_name

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("web.filter.threshold=4", ["strict"]),
        ("seeds=[0,1]", ["strict"]),
        ("web.filter.threshold=2,3", ["strict_threshold-2", "strict_threshold-3"]),
        ("web.filter.threshold=range(2,4,0.5)",
         [f"strict_threshold-{value}" for value in ("2.0", "2.5", "3.0", "3.5")]),
        ("web.filter.threshold=choice(2,3)", ["strict_threshold-2", "strict_threshold-3"]),
        ("seeds=[0],[0,1]", ["strict_seeds-0", "strict_seeds-0-1"]),
        ("web=glob(*m*)", ["strict_web-smoke"]),
        ("report.page.title='a b',c", ["strict_title-a-b", "strict_title-c"]),
    ],
)  # fmt: skip
def test_names_say_what_differs_and_nothing_else(override, names):
    assert [one.name for one in points(ROOT, "strict", [override])] == names


def test_every_combination_is_a_point_with_its_values():
    found = points(
        ROOT, "both", ["web.filter.threshold=2,3", "code.filter.threshold=1,4", "seeds=[0,1]"]
    )
    assert [one.name for one in found] == [
        f"both_web.filter.threshold-{web}_code.filter.threshold-{code}"
        for web in (2, 3)
        for code in (1, 4)
    ]
    last = found[-1]
    assert last.overrides == ("web.filter.threshold=3", "code.filter.threshold=4", "seeds=[0,1]")
    assert last.values["web"]["filter"]["threshold"] == 3
    assert last.values["code"]["filter"]["threshold"] == 4
    assert last.values["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("a b", ["seeds=[0,1]"], "letters, digits"),
        ("a..b", ["seeds=[0,1]"], "without '..'"),
        ("a.lock", ["seeds=[0,1]"], "not ended by"),
        ("x", ["web.filter.threshold=2,2"], "both be called x_threshold-2"),
        ("x", ["web.filter.threshold=interval(2,3)"], r"range\(START,STOP,STEP\)"),
        ("x", ["web=glob(zz*)"], "laptop, paper, smoke"),
        ("x", ["web.filter.threshold"], "an override is KEY=VALUE"),
        ("x", ["web.filter.treshold=2,3"], "allowed near it: web.filter.threshold"),
        ("x", ["web.filter.threshold=2,high"], "web.filter.threshold='high'"),
        ("x", ["train.steps=range(0,300)"], "300 experiments; at most 256"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_runs(name, overrides, message):
    with pytest.raises(ConfigError, match=message):
        points(ROOT, name, overrides)


def test_a_name_that_git_takes_for_a_commit_is_refused(lab):
    subprocess.run(["git", "branch", "strict"], cwd=lab.root, check=True)
    with pytest.raises(ConfigError, match="'strict': git has a branch"):
        points(lab.root, "strict", ["right.level=4"])


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("workspace", "mean the work tree"),
        ("WorkTree", "mean the work tree"),
        ("n" * 201, "201 ch"),
    ],
)
def test_a_name_that_means_the_work_tree_or_fits_no_file_is_refused(lab, name, match):
    with pytest.raises(ConfigError, match=match):
        require_name(lab.root, name)
