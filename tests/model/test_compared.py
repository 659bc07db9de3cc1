"""Any causal checkpoint is loaded with its own tokenizer, whole, or refused with a reason."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hornbook.errors import ArtifactError
from hornbook.model.compared import load_compared, tokenizer_of
from hornbook.model.phi import Phi
from tests.made_checkpoints import CONTEXT, EOS, TEXT, write_gpt2, write_llama, write_phi


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint of each kind; read only."""
    root = tmp_path_factory.mktemp("checkpoints of others")
    return {write.__name__: write(root / write.__name__)
            for write in (write_phi, write_gpt2, write_llama)}  # fmt: skip


def load(folder):
    return load_compared(folder, "cpu", torch.float32, attention="explicit")


def changed(folder, target, **values):
    """A copy with other values in `config.json`; None takes one out."""
    shutil.copytree(folder, target)
    file = target / "config.json"
    config = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: one for key, one in config.items() if one is not None}))
    return target


@pytest.mark.parametrize(
    ("kind", "architecture", "by"),
    [
        ("write_phi", "PhiForCausalLM", "hornbook"),
        ("write_gpt2", "GPT2LMHeadModel", "transformers"),
        ("write_llama", "LlamaForCausalLM", "transformers"),
    ],
)
def test_logits_are_those_of_transformers(made, kind, architecture, by):
    from transformers import AutoModelForCausalLM

    folder = made[kind]
    model = load(folder)
    assert (model.facts["architecture"], model.facts["computed_by"]) == (architecture, by)
    peer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert model.facts["parameters"] == sum(one.numel() for one in peer.parameters())
    assert model.context_tokens == model.facts["context_tokens"] == CONTEXT
    ids = torch.tensor([model.encoder.encode(TEXT)])
    with torch.inference_mode():
        torch.testing.assert_close(model.logits(ids), peer(ids).logits, rtol=1e-4, atol=1e-4)


def test_a_phi_with_what_ours_has_not_is_computed_by_transformers(made, tmp_path):
    from transformers import PhiConfig, PhiForCausalLM

    folder = tmp_path / "other"
    shutil.copytree(made["write_phi"], folder)
    config = PhiConfig.from_pretrained(folder, qk_layernorm=True)
    PhiForCausalLM(config).save_pretrained(folder)
    model = load(folder)
    assert not isinstance(model.network, Phi)
    assert model.facts["computed_by"] == "transformers"


def test_the_tokenizer_is_the_checkpoints_own(made):
    ours, llama = (tokenizer_of(made[kind]) for kind in ("write_phi", "write_llama"))
    trained = tokenizer_of(made["write_phi"].with_name("write_phi-trained"))
    assert ours.encode(TEXT) == trained.encode(TEXT)
    assert ours.eos == trained.eos
    assert llama.encode(TEXT)[0] == 1 == llama.start[0], "what it puts before a text"
    assert llama.encode(TEXT)[1:] == llama.plain(TEXT)


@pytest.mark.parametrize("kind", ["write_phi", "write_gpt2", "write_llama"])
def test_the_spelling_of_a_special_token_is_ordinary_text(made, kind):
    tokenizer = tokenizer_of(made[kind])
    for spelled in (EOS, "</s>"):
        assert tokenizer.eos not in tokenizer.encode(f"a {spelled} b")


@pytest.mark.parametrize("kind", ["write_phi", "write_gpt2", "write_llama"])
def test_a_text_goes_on_with_its_blanks(made, kind):
    tokenizer = tokenizer_of(made[kind])
    whole = tokenizer.plain("def f():\n    return 1")
    for cut in range(1, len(whole)):
        first, rest = tokenizer.decode(whole[:cut]), tokenizer.decode(whole[cut:])
        assert first + rest == tokenizer.decode(whole)
    assert tokenizer.decode(whole).lstrip() == "def f():\n    return 1"


def test_a_tokenizer_with_more_ids_than_the_embedding_is_refused(made, tmp_path):
    folder = write_gpt2(tmp_path / "small", vocab_size=300)
    with pytest.raises(ArtifactError, match=r"ids up to 329, the model's embedding 300 rows"):
        load(folder)


def test_weights_that_are_not_there_are_not_invented(made, tmp_path):
    folder = tmp_path / "part"
    shutil.copytree(made["write_gpt2"], folder)
    file = folder / "model.safetensors"
    tensors = load_file(file)
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match=r"have no transformer\.h\.1\.mlp\.c_fc\.weight.*1 ten"):
        load(folder)
    wider = changed(made["write_gpt2"], tmp_path / "wider", n_inner=256)
    with pytest.raises(ArtifactError, match=r"(?s)another size|cannot load it"):
        load(wider)


def test_a_checkpoint_that_does_not_say_what_it_reads_is_refused(made, tmp_path):
    from transformers import MambaConfig, MambaForCausalLM

    folder = changed(made["write_gpt2"], tmp_path / "endless")
    config = MambaConfig(vocab_size=330, hidden_size=16, state_size=4, num_hidden_layers=1)
    MambaForCausalLM(config).save_pretrained(folder)
    with pytest.raises(ArtifactError, match=r"how many tokens the model reads; add \"max_position"):
        load(folder)


def test_code_that_a_folder_brings_is_not_run(made, tmp_path):
    folder = changed(
        made["write_gpt2"], tmp_path / "own code", model_type="mine",
        auto_map={"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Model"},
    )  # fmt: skip
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ArtifactError, match="transformers cannot"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_that_is_not_there_or_names_no_end_is_refused(made, tmp_path):
    folder = tmp_path / "mute"
    shutil.copytree(made["write_gpt2"], folder)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token": None}))
    with pytest.raises(ArtifactError, match="names no end of text; set eos_token"):
        load(folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match="cannot read its tokenizer"):
        load(folder)
