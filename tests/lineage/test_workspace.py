import hashlib

import pytest

from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.workspace import Hasher, identity, require_fresh, stale_stages


def stale(toy) -> dict[str, list[str]]:
    found = stale_stages(load_graph(toy.root), load_lock(toy.root), Hasher(toy.root))
    return {name: [reason.kind for reason in reasons] for name, reasons in found.items()}


def test_hashes_are_those_that_dvc_recorded(ran):
    hasher = Hasher(ran.root)
    for entry in load_lock(ran.root).values():
        for path, recorded in {**entry.deps, **entry.outs}.items():
            assert hasher.hash(path) == recorded, path


def test_nothing_is_stale_after_a_run(ran):
    assert stale(ran) == {}


def test_a_value_makes_stale_exactly_the_stages_that_read_it_and_what_follows(ran):
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    assert stale(ran) == {
        "branch@one": ["parameter"],
        "branch@two": ["parameter"],
        "end": ["input", "input"],
    }


def test_code_data_and_hand_edits_each_have_their_reason(ran):
    (ran.root / "data" / "raw.txt").write_text("other\n")
    assert stale(ran)["base"] == ["data"]
    (ran.root / "data" / "raw.txt").write_text("raw\n")
    (ran.root / "artifacts" / "branch" / "one" / "value.txt").write_text("by hand\n")
    assert stale(ran) == {"branch@one": ["output"], "end": ["input"]}


def test_a_hash_is_not_remembered_past_an_edit_of_equal_length(ran):
    hasher = Hasher(ran.root)
    before = hasher.hash("tool.py")
    hasher.save()
    ran.edit("tool.py", "level", "LEVEL")
    assert Hasher(ran.root).hash("tool.py") != before


def test_a_consumer_of_an_edited_artifact_is_refused_with_the_remedy(ran):
    (ran.root / "artifacts" / "base" / "value.txt").write_text("by hand\n")
    graph = load_graph(ran.root)
    with pytest.raises(
        ArtifactError, match=r"(?s)artifacts/base is edited.*dvc checkout artifacts/base"
    ):
        require_fresh(graph, load_lock(ran.root), Hasher(ran.root), graph.stages["end"])


def test_a_stage_whose_own_value_changed_may_run(ran):
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    graph = load_graph(ran.root)
    require_fresh(graph, load_lock(ran.root), Hasher(ran.root), graph.stages["branch@one"])
    with pytest.raises(ArtifactError, match="dvc repro branch@one branch@two"):
        require_fresh(graph, load_lock(ran.root), Hasher(ran.root), graph.stages["end"])


def test_identity_follows_values_and_bytes_only(ran):
    graph = load_graph(ran.root)
    stage = graph.stages["branch@one"]
    first = identity(stage, graph, Hasher(ran.root))
    assert identity(stage, graph, Hasher(ran.root)) == first
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    graph = load_graph(ran.root)
    assert identity(graph.stages["branch@one"], graph, Hasher(ran.root)) != first


def test_a_folder_beside_a_file_of_a_longer_name_is_hashed_as_dvc_does(tmp_path):
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    names = ("list/part.txt", "list.yaml", "list-a/part.txt", "a.txt")
    tree = Tree()
    for name in names:
        file = tmp_path / "web" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("same\n")
        same = HashInfo("md5", hashlib.md5(b"same\n").hexdigest())
        tree.add(tuple(name.split("/")), None, same)
    tree.digest()
    assert Hasher(tmp_path).hash("web") == tree.hash_info.value


def test_what_is_gone_and_what_is_not_read_any_more_are_said(ran):
    ran.edit("dvc.yaml", "deps: [tool.py, data/raw.txt]", "deps: [tool.py, data/other.txt]")
    found = stale_stages(load_graph(ran.root), load_lock(ran.root), Hasher(ran.root))
    assert [str(reason) for reason in found["base"]] == [
        "data data/other.txt is missing",
        "data data/raw.txt is not read any more",
    ]
