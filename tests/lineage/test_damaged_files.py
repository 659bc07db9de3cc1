"""Files of a checkout in states that an editor, a merge, a crash or a full disk leaves behind."""

import json

import pytest

from hornbook.__main__ import main
from hornbook.errors import ConfigError
from hornbook.lineage.adopt import adopted
from hornbook.lineage.cache import cached_file, cached_files
from hornbook.lineage.explain import provenance
from hornbook.lineage.inputs import pull_inputs
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.workspace import Hasher, stale_stages
from hornbook.runtime import load_runtime
from hornbook.track import index
from tests.toy import DVC_YAML

ENTRY = "stages:\n  base:\n"


def stale(root) -> list[str]:
    return list(stale_stages(load_graph(root), load_lock(root), Hasher(root)))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"stages: []\n", "dvc.lock is not of its form"),
        (ENTRY.encode(), "the record of base is not of its form"),
        (f"{ENTRY}    deps: []\n".encode(), "the record of base lacks 'cmd'"),
        (f"{ENTRY}    cmd: x\n    outs: abc\n".encode(), "the record of base is not of its form"),
        (f"{ENTRY}    cmd: x\n    outs:\n    - md5: a\n".encode(), "lacks 'path'"),
        (b"stages:\n<<<<<<< HEAD\n  a: 1\n=======\n>>>>>>> b\n", "not valid YAML"),
        (b"\xff\xfe\x00", "no UTF-8 text"),
    ],
)
def test_a_damaged_record_is_refused_with_the_way_back(ran, text, match):
    (ran.root / "dvc.lock").write_bytes(text)
    with pytest.raises(ConfigError, match=match) as refused:
        load_lock(ran.root)
    assert "git checkout dvc.lock" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (DVC_YAML, "stages: [a]\n", "stages is not of its form"),
        (DVC_YAML, ENTRY, "the stage base is not of its form"),
        ("cmd: python tool.py base", "cmdx: python tool.py base", "the stage base lacks 'cmd'"),
        ("outs: [artifacts/base]", "outs: []", "the stage base is not of its form"),
        ("deps: [tool.py, data/raw.txt]", "deps: 5", "the stage base is not of its form"),
        ("meta: {group: base}", "meta: [1]", "the stage base is not of its form"),
        ("outs: [artifacts/end]", "outs: [artifacts/base]", "base and end both write"),
    ],
)
def test_a_stage_that_is_not_declared_right_is_named(ran, old, new, match):
    ran.edit("dvc.yaml", old, new)
    with pytest.raises(ConfigError, match=match):
        load_graph(ran.root)


@pytest.mark.parametrize("text", ["[1]", "outs: 5\n", "outs:\n- md5: x\n", "outs: ["])
def test_a_damaged_dvc_file_is_refused(ran, text):
    (ran.root / "data.dvc").write_text(text)
    with pytest.raises(ConfigError, match=r"git checkout data\.dvc"):
        load_graph(ran.root)


@pytest.mark.parametrize("text", ["[1]", "outs: 5\n", "outs: []\n", "outs: ["])
def test_inputs_are_not_fetched_by_a_damaged_dvc_file(ran, text):
    (ran.root / "data.dvc").write_text(text)
    with pytest.raises(ConfigError, match=r"git checkout data\.dvc"):
        pull_inputs(ran.root)


@pytest.mark.parametrize("memory", ["[]", "5", "null", '"x"', '{"a": ', "INT", "SHORT", "CUT"])
def test_what_only_remembers_may_be_anything(ran, memory):
    file = ran.root / "artifacts" / "base" / "value.txt"
    stat = file.stat()
    mark = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
    inner = {"INT": 5, "SHORT": [1], "CUT": mark}.get(memory)
    text = memory if inner is None else json.dumps({str(file): inner})
    own = ran.root / ".hornbook"
    for name in ("hashes.json", "measurements/base.json", "receipts/base.json"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    assert stale(ran.root) == []
    assert provenance(ran.root, load_lock(ran.root), "end")["base"].verified is None


def test_the_index_of_runs_is_written_anew_where_it_is_no_mapping(tmp_path):
    (index.folder(tmp_path)).mkdir(parents=True)
    (index.folder(tmp_path) / "index.json").write_text("[]")
    index.save(tmp_path, {})
    assert index.load(tmp_path) == {}
    assert json.loads((index.folder(tmp_path) / "index.json").read_text())


@pytest.mark.parametrize("text", ["[1]", "base: 5\n", "base: {by: me}\n", "a: ["])
def test_a_damaged_adoption_is_never_taken_for_none(ran, text):
    (ran.root / "adopted.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"adopted\.yaml"):
        adopted(ran.root, load_lock(ran.root))


@pytest.mark.parametrize("text", ["[1]", "jobs: [", "5"])
def test_a_damaged_runtime_names_its_file(tmp_path, text):
    file = tmp_path / "conf" / "runtime" / "local.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"conf/runtime/local\.yaml"):
        load_runtime(tmp_path)


def test_a_link_to_nowhere_in_an_artifact_makes_it_edited(ran):
    (ran.root / "artifacts" / "end" / "more").symlink_to("/nowhere/at/all")
    assert stale(ran.root) == ["end"]


@pytest.mark.parametrize("text", ['{"x', "[5]", "[{}]"])
def test_a_listing_cut_off_in_the_cache_counts_as_not_there(ran, text):
    digest = load_lock(ran.root)["end"].out_hash
    listing = cached_file(ran.root, digest)
    listing.chmod(0o644)
    listing.write_text(text)
    assert cached_files(ran.root, digest) is None


@pytest.mark.parametrize(
    "command", [["explain", "end"], ["adopt", "--list"], ["experiment", "list"], ["code-deps"]]
)
def test_below_the_top_nobody_is_told_that_there_is_nothing(ran, monkeypatch, capsys, command):
    monkeypatch.chdir(ran.root / "artifacts")
    assert main(command) == 2
    assert f"cd to the top of the checkout: {ran.root}" in capsys.readouterr().err
