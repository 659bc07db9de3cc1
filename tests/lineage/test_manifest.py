import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hornbook.compose import compose, render
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import load_graph, load_lock, lookup
from tests.core.test_compared import write_folder

ROOT = Path(__file__).resolve().parents[2]


def dvc_edges(root: Path) -> dict[str, set[str]]:
    """Producers of each stage by DVC's own index."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        stages = [s for s in repo.index.stages if getattr(s, "name", None)]
        made = {out.fs_path: s.addressing.split(":")[-1] for s in stages for out in s.outs}
        return {
            s.addressing.split(":")[-1]: {
                made[out] for dep in s.deps for out in made if is_below(dep.fs_path, out)
            }
            for s in stages
        }


def is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}/")


def test_the_toy_graph_has_the_edges_that_dvc_sees(toy):
    graph = load_graph(toy.root)
    assert {n: set(s.producers) for n, s in graph.stages.items()} == dvc_edges(toy.root)
    assert list(graph.stages) == ["base", "branch@one", "branch@two", "end"]


def test_our_graph_has_the_stages_and_edges_that_dvc_sees():
    graph = load_graph(ROOT)
    assert {n: set(s.producers) for n, s in graph.stages.items()} == dvc_edges(ROOT)


@pytest.mark.parametrize("seeds", [[0], [0, 1], [0, 2, 10]])
def test_our_graph_of_any_seeds_has_the_stages_and_edges_that_dvc_sees(tmp_path, seeds):
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    for name in ("dvc.yaml", "data.dvc"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "params.yaml").write_text(render(compose(ROOT, [f"seeds={seeds}"])))
    graph = load_graph(tmp_path)
    assert {n: set(s.producers) for n, s in graph.stages.items()} == dvc_edges(tmp_path)
    collected = [name for name in graph.stages if name.startswith("seed_scores@")]
    assert collected == [f"seed_scores@{seed}" for seed in seeds[1:]]


def test_our_graph_with_compared_models_has_the_stages_and_edges_that_dvc_sees(tmp_path):
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    for name in ("dvc.yaml", "data.dvc"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    folders = [write_folder(tmp_path / "of others" / name) for name in ("wide-1.5", "narrow")]
    quoted = ",".join(f"'{folder}'" for folder in folders)
    overrides = [f"models.compare=[{quoted}]"]
    (tmp_path / "params.yaml").write_text(render(compose(ROOT, overrides)))
    graph = load_graph(tmp_path)
    assert {n: set(s.producers) for n, s in graph.stages.items()} == dvc_edges(tmp_path)
    collected = [name for name in graph.stages if name.startswith("compared_scores@")]
    assert collected == ["compared_scores@wide-1_5", "compared_scores@narrow"]


def test_dependencies_are_told_apart(toy):
    base = load_graph(toy.root).stages["base"]
    assert (base.code, base.sources, dict(base.inputs)) == (("tool.py",), ("data/raw.txt",), {})
    one = load_graph(toy.root).stages["branch@one"]
    assert dict(one.inputs) == {"artifacts/base": "base"}, "a repeated dependency counts once"


def test_descendants_and_ancestors_follow_the_edges(toy):
    graph = load_graph(toy.root)
    assert graph.descendants(["branch@one"]) == {"end"}
    assert graph.ancestors(["end"]) == {"base", "branch@one", "branch@two"}


def test_a_missing_parameter_names_the_key_and_the_remedy():
    with pytest.raises(ConfigError, match=r"no 'a\.c'.*hornbook compose"):
        lookup({"a": {"b": 1}}, "a.c")


def test_a_damaged_manifest_is_one_message(toy):
    (toy.root / "dvc.yaml").write_text("stages: [unclosed")
    with pytest.raises(ConfigError, match=r"dvc\.yaml is not valid YAML"):
        load_graph(toy.root)


def test_a_lock_can_be_read_at_a_revision(ran):
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    ran.dvc("repro", "-q")
    assert load_lock(ran.root)["branch@one"].params == {"right": {"level": 2}}
    assert load_lock(ran.root, "HEAD")["branch@one"].params == {"right": {"level": 1}}
    with pytest.raises(ConfigError, match="no revision 'nowhere'"):
        load_lock(ran.root, "nowhere")
