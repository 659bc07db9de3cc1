"""models.compare: the graph grows by it, and what cannot be asked is refused before it runs."""

import json
from pathlib import Path

import pytest

from hornbook.compose import compose
from hornbook.errors import ConfigError
from hornbook.lineage.further_seeds import NOTHING
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.run import select

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_folder(folder: Path, *without: str, **config: object) -> Path:
    """The files that a checkpoint has to have, all but empty."""
    folder.mkdir(parents=True)
    made_for = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]} | config
    for name, content in (
        ("config.json", json.dumps(made_for)),
        ("model.safetensors", ""),
        ("tokenizer.json", "{}"),
    ):
        if name not in without:
            (folder / name).write_text(content)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A Hugging Face cache with one model at one commit, as a download leaves it."""
    kept = tmp_path / "hub"
    model = kept / "models--someone--tiny-1.5"
    snapshot = write_folder(model / "snapshots" / COMMIT)
    (model / "blobs").mkdir()
    weights = model / "blobs" / "0"
    (snapshot / "model.safetensors").rename(weights)
    (snapshot / "model.safetensors").symlink_to(weights)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(kept))
    return snapshot


def given(*entries: object) -> list[str]:
    text = ",".join(
        f"{{name: {one['name']}, model: '{one['model']}'}}" if isinstance(one, dict) else f"'{one}'"
        for one in entries
    )
    return [f"models.compare=[{text}]"]


def test_an_empty_list_repeats_no_stage_and_needs_nothing():
    values = compose(ROOT)
    assert values["models"] == {"compare": []}
    assert values["compared"] == {"names": [], "models": {}, "scores": {}, "last": NOTHING}
    graph = load_graph(ROOT, params=values)
    assert not any("compared" in stage.family for stage in graph.stages.values())


def test_a_row_is_named_by_the_last_part_of_its_path_and_they_stay_in_order(tmp_path):
    first, second = (write_folder(tmp_path / "some models" / n) for n in ("wide-1.5", "narrow"))
    other = {"name": "third", "model": first}
    found = compose(ROOT, given(first, f"{second}/", other))["compared"]
    assert found["names"] == ["wide-1_5", "narrow", "third"]
    assert found["models"]["wide-1_5"] == {"folder": str(first), "hub": None}
    assert found["models"]["narrow"] == {"folder": str(second), "hub": None}
    assert found["scores"] == {
        "wide-1_5": NOTHING,
        "narrow": "artifacts/compared_scores/wide-1_5",
        "third": "artifacts/compared_scores/narrow",
    }
    assert found["last"] == "artifacts/compared_scores/third"


def test_the_checkpoint_is_an_input_of_the_stages_that_ask_it(tmp_path):
    folder = write_folder(tmp_path / "tiny")
    graph = load_graph(ROOT, params=compose(ROOT, given(folder)))
    for family in ("evaluate_compared", "toxigen_compared"):
        assert str(folder) in graph.stages[f"{family}@tiny"].sources
    readers = graph.consumers["compared_scores@tiny"]
    assert readers == ("benchmark_tables", "report", "toxigen_plots")
    plain = load_graph(ROOT, params=compose(ROOT))
    grown = {name for name in graph.stages if name not in plain.stages}
    assert grown == {f"{f}@tiny" for f in ("evaluate_compared", "toxigen_compared",
                                           "compared_scores")}  # fmt: skip
    same = set(plain.stages) - set(readers)
    assert all(graph.stages[name] == plain.stages[name] for name in same)


def test_a_model_of_the_hub_is_its_folder_in_the_cache(cache):
    found = compose(ROOT, given(f"someone/tiny-1.5@{COMMIT}"))["compared"]
    pinned = {"folder": str(cache), "hub": f"someone/tiny-1.5@{COMMIT}"}
    assert found["models"] == {"tiny-1_5": pinned}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("someone/tiny-1.5", r"needs the commit .* write someone/tiny-1\.5@COMMIT .*commits/main"),
        ("someone/tiny-1.5@main", r"someone/tiny-1\.5 is no folder here.* needs the commit"),
        ("gpt2", r"gpt2 is no folder here, and as a name .* write gpt2@COMMIT"),
        (f"someone/other@{COMMIT}", rf"run: hf download someone/other --revision {COMMIT}"),
        ("someone/tiny-1.5@" + "f" * 40, r"is not in this machine's Hugging Face cache"),
        ("/nowhere/at/all", r"/nowhere/at/all is not there; name a folder"),
        ("./nowhere", r"\./nowhere is not there"),
        ("artifacts/nowhere", r"artifacts/nowhere is not there"),
    ],
)
def test_a_model_that_is_not_here_says_what_to_do(cache, name, told):
    with pytest.raises(ConfigError, match=rf"(?s)models\.compare: .*{told}"):
        compose(ROOT, given(name))


@pytest.mark.parametrize(
    ("without", "config", "told"),
    [
        ("config.json", {}, "has no config.json; is it the folder of a model"),
        ("model.safetensors", {}, r"has no weights .*copy the whole folder again"),
        ("tokenizer.json", {}, r"has no tokenizer .*asked with its own"),
        ("", {"architectures": ["BertForMaskedLM"]}, "is BertForMaskedLM, which does not continue"),
        ("", {"is_encoder_decoder": True}, "is GPT2LMHeadModel, which does not continue a text"),
    ],
)
def test_a_folder_that_is_no_causal_model_is_refused(tmp_path, without, config, told):
    folder = write_folder(tmp_path / "tiny", without, **config)
    with pytest.raises(ConfigError, match=rf"(?s)models\.compare: {folder} {told}"):
        compose(ROOT, given(folder))


def test_rows_of_one_name_are_refused_with_how_to_name_them(tmp_path):
    one, two = (write_folder(tmp_path / place / "tiny") for place in ("a", "b"))
    with pytest.raises(ConfigError, match=r"b/tiny would be the row 'tiny', and so is .*a/tiny"):
        compose(ROOT, given(one, two))
    released = write_folder(tmp_path / "phi-1.5")
    with pytest.raises(ConfigError, match=r"'phi-1_5', and so is the variant phi-1_5 that is tr"):
        compose(ROOT, given(released))
    named = {"name": "released", "model": released}
    assert compose(ROOT, given(named))["compared"]["names"] == ["released"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("models.compare=gpt2", r"models\.compare='gpt2': expected a list of folders"),
        ("models.compare=[3]", r"3 is no model; expected a list"),
        ("models.compare=[{name: x}]", r"is no model; expected a list"),
        ("models.compare=['']", r"'' is no model"),
        ("models.compare=[{name: 7b, model: x}]", r"x would be the row '7b'; a row's name begins"),
        ("models.compare=[/models/7b]", r"row '7b'.*\{name: NAME, model: /models/7b\}"),
        ("+models.other=[]", r"models\.other is not a setting; beside it are compare"),
    ],
)
def test_what_is_no_list_of_models_is_refused(override, told):
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        compose(ROOT, [override])


def test_a_stage_of_a_compared_model_says_how_to_name_one():
    with pytest.raises(ConfigError, match=r"models\.compare=\[\] has none.*compose 'models.comp"):
        select(load_graph(ROOT), ["toxigen_compared"])
