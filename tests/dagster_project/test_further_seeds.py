"""Models of further seeds and of others are assets like ours; dagster_project knows none of it."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.assets import build_assets
from hornbook.compose import compose, render
from tests.core.test_compared import write_folder

ROOT = Path(__file__).resolve().parents[2]


def assets_of(root: Path, *overrides: str) -> dict[str, tuple[str | None, frozenset, set[str]]]:
    """Group, kinds and producers of each asset of the graph with these overrides."""
    for name in ("dvc.yaml", "data.dvc"):
        shutil.copyfile(ROOT / name, root / name)
    (root / "params.yaml").write_text(render(compose(ROOT, overrides)))
    return {
        spec.key.to_user_string(): (
            spec.group_name,
            frozenset(spec.kinds),
            {dep.asset_key.to_user_string() for dep in spec.deps},
        )
        for made in build_assets(root)
        if isinstance(made, dg.AssetsDefinition)
        for spec in made.specs
    }


@pytest.fixture(scope="module")
def one_and_two(tmp_path_factory):
    roots = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    given = ("seeds=[0]", "seeds=[0,1]")
    return [assets_of(root, seeds) for root, seeds in zip(roots, given, strict=True)]


def test_a_further_seed_adds_its_assets_and_touches_only_what_reads_all_seeds(one_and_two):
    one, two = one_and_two
    variants = ("phi-1_5", "phi-1_5-web", "phi-1_5-web-only")
    assert set(two) - set(one) == {
        "seed_scores/1",
        *(f"{f}_seed/{v}-1" for f in ("train", "evaluate", "toxigen") for v in variants),
    }
    changed = {key for key, told in one.items() if two[key] != told}
    assert changed == {"benchmark_tables", "toxigen_plots", "report"}
    for key in changed:
        assert two[key][2] - one[key][2] == {"seed_scores/1"}


def test_its_assets_stand_in_the_groups_of_seed_0(one_and_two):
    two = one_and_two[1]
    assert two["train_seed/phi-1_5-web-1"] == two["train/phi-1_5-web"]
    assert two["evaluate_seed/phi-1_5-1"][:2] == two["evaluate/phi-1_5-code"][:2]
    assert two["toxigen_seed/phi-1_5-1"][:2] == two["toxigen/phi-1_5"][:2]
    assert two["seed_scores/1"][0] == two["benchmark_tables"][0] == "report"


def test_a_compared_model_adds_its_assets_beside_ours(one_and_two, tmp_path):
    one = one_and_two[0]
    folder = write_folder(tmp_path / "wide-1.5")
    beside = assets_of(tmp_path, f"models.compare=['{folder}']")
    source = {key for key in beside if key.endswith("/wide-1.5")}
    families = ("evaluate_compared", "toxigen_compared", "compared_scores")
    assert set(beside) - set(one) - source == {f"{family}/wide-1_5" for family in families}
    changed = {key for key, told in one.items() if beside[key] != told}
    assert changed == {"benchmark_tables", "toxigen_plots", "report"}
    for key in changed:
        assert beside[key][2] - one[key][2] == {"compared_scores/wide-1_5"}
    assert beside["evaluate_compared/wide-1_5"][:2] == one["evaluate/phi-1_5-code"][:2]
    assert beside["toxigen_compared/wide-1_5"][:2] == one["toxigen/phi-1_5"][:2]
    assert source <= beside["evaluate_compared/wide-1_5"][2], "its folder is where it begins"
