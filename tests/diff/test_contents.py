"""What an artifact holds is compared by its files; what is not here is said with what brings it."""

import json
import shutil

import pytest
import yaml

from hornbook.diff.artifacts import Pair, find_pair
from hornbook.diff.contents import contents
from hornbook.diff.found import find
from hornbook.diff.revisions import read_state
from hornbook.diff.sentences import compare as compare_sentences
from hornbook.diff.streams import compare as compare_streams
from hornbook.diff.values import compare as compare_values
from hornbook.lineage.manifest import LockEntry
from hornbook.lineage.workspace import Hasher
from tests.diff.made import pair, said, tables, write_rows


@pytest.fixture
def changed(ran):
    """The toy graph, with another value in the work tree than at HEAD."""
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    return ran


def test_every_artifact_that_differs_is_compared(changed):
    found = find(changed.root, "HEAD", "workspace", is_deep=True)
    assert [one.stage for one in found.contents] == ["base", "branch@one", "branch@two", "end"]
    assert found.contents[0].said == ('value.txt, line 1: "base 1" -> "base 2"',)
    assert find(changed.root, "HEAD", "workspace").contents is None


def test_an_artifact_that_is_not_in_the_cache_is_named_with_what_brings_it(changed):
    states = [read_state(changed.root, name) for name in ("HEAD", "workspace")]
    shutil.rmtree(changed.root / ".dvc" / "cache")
    found = contents(changed.root, *states, find(changed.root, "HEAD", "workspace").stages[:1])
    assert found[0].tables == ()
    head = "the artifact of base at HEAD ("
    assert found[0].missing.startswith(head)
    assert "is not in the cache here. `dvc fetch base` brings it from a remote" in found[0].missing
    assert "the work tree" not in found[0].missing  # its files lie there, the ones recorded


def test_an_earlier_revision_is_fetched_or_made_aside(changed):
    changed.commit("level 2")
    states = [read_state(changed.root, name) for name in ("HEAD~1", "HEAD")]
    shutil.rmtree(changed.root / ".dvc" / "cache")
    missing = find_pair(changed.root, "base", *states)
    short = states[0].revision[:7]
    assert "`dvc fetch --all-commits base`" in missing
    assert f"`git worktree add ../at-{short} {short}`" in missing


def test_a_file_that_the_cache_lost_is_named(changed):
    states = [read_state(changed.root, name) for name in ("HEAD", "workspace")]
    whole = find_pair(changed.root, "base", *states)
    assert isinstance(whole, Pair)
    whole.before.paths["value.txt"].unlink()
    missing = find_pair(changed.root, "base", *states)
    assert "the cache here lacks value.txt. `dvc fetch base`" in missing


def test_an_artifact_of_another_form_does_not_stop_the_rest(changed):
    made = changed.root / "artifacts" / "base" / "value.txt"
    made.unlink()
    made.write_bytes(b"\xff\xfe no text")
    changed.dvc("commit", "--force", "-q", "base")
    states = [read_state(changed.root, name) for name in ("HEAD", "workspace")]
    found = contents(changed.root, *states, find(changed.root, "HEAD", "workspace").stages)
    assert "0x" in found[0].said[0]  # its bytes are told
    assert found[1].said == ('value.txt, line 2: "base 1" -> "base 2"',)


def test_bytes_that_are_not_of_their_hash_are_not_compared(changed):
    states = [read_state(changed.root, name) for name in ("HEAD", "workspace")]
    whole = find_pair(changed.root, "base", *states)
    path = whole.before.paths["value.txt"]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    found = contents(changed.root, *states, find(changed.root, "HEAD", "workspace").stages)
    assert not found[0].said
    assert "damaged" in found[0].missing
    assert "dvc fetch" in found[0].missing
    assert found[1].said


def write_json(root, name, before, after):
    for folder, value in (("before", before), ("after", after)):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / name).write_text(json.dumps(value))


def test_changed_values_are_told_once_and_hashes_not_at_all(tmp_path):
    write_json(tmp_path, "metrics.json", {"a": {"b": 1}}, {"a": {"b": 2}})
    write_json(tmp_path, "summary.json", {"a": {"b": 1}, "n": 3, "sha": "0" * 64},
               {"a": {"b": 2}, "n": 4, "sha": "1" * 64})  # fmt: skip
    write_json(tmp_path, "list.json", [{"x": 1}], [{"x": 1}, {"x": 2}])
    assert tables(compare_values(pair(tmp_path))) == {
        "list.json: changed values": [("[1].x", "absent", 2)],
        "metrics.json: changed values": [("a.b", 1, 2)],
        "summary.json: changed values": [("n", 3, 4)],
    }


def test_tokens_are_told_by_split_and_by_source(tmp_path):
    streams, mixtures = tmp_path / "streams", tmp_path / "mixtures"
    streams.mkdir()
    mixtures.mkdir()
    counts = [{"splits": {"train": {"documents": n, "tokens": 10 * n}}} for n in (1, 2)]
    write_json(streams, "meta.json", *counts)
    assert tables(compare_streams(pair(streams))) == {"tokens by split": [("train", 1, 2, 10, 20)]}
    drawn = [{"sources": [{"corpus": "web", "drawn_tokens": n, "epochs": 1.0}]} for n in (5, 7)]
    write_json(mixtures, "mixture.json", *drawn)
    assert tables(compare_streams(pair(mixtures))) == {
        "tokens by source": [("web", "drawn tokens", 5, 7)],
    }


def test_sentences_are_told_by_how_far_they_moved_in_the_order(tmp_path):
    sentences = [
        {"text": f"sentence {n}", "label": "hate", "toxicity_score": 1.0, "target_groups": ["a"]}
        for n in range(4)
    ]
    (tmp_path / "sentences.json").write_text(json.dumps(sentences))
    params = {"data": {"toxigen": "sentences.json"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    for folder, order in (("before", (1.0, 2.0, 3.0, 4.0)), ("after", (9.0, 2.0, 3.0, 4.0))):
        rows = [{"id": n, "label": "hate", "perplexity": one} for n, one in enumerate(order)]
        write_rows(tmp_path / folder / "perplexities.parquet", rows)
    digest = Hasher(tmp_path).hash("sentences.json")
    same = LockEntry("cmd", {"sentences.json": digest}, {}, {})
    parts = list(compare_sentences(tmp_path, pair(tmp_path), (same, same)))
    assert said(parts)[0].startswith("4 sentences, 4 at another place of the order; Spearman's rho")
    rows = tables(parts)["sentences that moved most"]
    assert rows[0] == (0, "hate", 1, 4, 1.0, 9.0, "sentence 0")
    other = LockEntry("cmd", {"sentences.json": "another"}, {}, {})
    parts = list(compare_sentences(tmp_path, pair(tmp_path), (other, same)))
    assert said(parts) == ["sentences.json is not the same on both sides: no order to compare"]
