"""Our folders are those of transformers' Phi, and damage is named."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from hornbook.errors import ArtifactError
from hornbook.model.checkpoint import load_model, save_model, to_released
from tests.model.conftest import build

transformers = pytest.importorskip("transformers")


@pytest.fixture
def folder(model, tmp_path):
    save_model(model, tmp_path / "ours", eos_token_id=0)
    return tmp_path / "ours"


def peer_of(folder):
    return transformers.PhiForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    )


def test_transformers_gives_the_same_logits(model, folder, ids):
    with torch.no_grad():
        difference = (model(ids) - peer_of(folder)(ids).logits).abs().max().item()
    assert difference < 1e-5


def test_transformers_gives_the_same_loss_and_gradients(model, folder, ids):
    peer = peer_of(folder)
    theirs = peer(ids, labels=ids).loss
    theirs.backward()
    logits = model(ids)[:, :-1]
    ours = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    ours.backward()
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    expected = {name: parameter.grad for name, parameter in peer.named_parameters()}
    got = to_released({name: parameter.grad for name, parameter in model.named_parameters()})
    assert got.keys() == expected.keys()
    for name, gradient in got.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_folder_of_transformers_loads_and_saves_back_to_the_same_tensors(tmp_path, ids):
    peer = transformers.PhiForCausalLM(
        transformers.PhiConfig(
            vocab_size=64, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=32,
        )
    )  # fmt: skip
    peer.save_pretrained(tmp_path / "peer", max_shard_size="50KB")
    assert (tmp_path / "peer" / "model.safetensors.index.json").exists()
    model = load_model(tmp_path / "peer", "cpu", torch.float32)
    torch.testing.assert_close(model(ids), peer.eval()(ids).logits.detach(), rtol=0, atol=1e-5)
    save_model(model, tmp_path / "back", eos_token_id=None)
    back = load_file(tmp_path / "back" / "model.safetensors")
    assert back.keys() == peer.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in peer.state_dict().items())


def test_greedy_text_is_that_of_transformers(folder, ids):
    model, tokens = load_model(folder), ids[:1, :5]
    theirs = peer_of(folder).generate(
        tokens, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    while tokens.shape[1] < 17:
        tokens = torch.cat((tokens, model(tokens)[:, -1:].argmax(-1)), dim=1)
    assert torch.equal(tokens, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_saving_twice_writes_the_same_bytes_in_the_dtype_of_the_model(tmp_path, dtype):
    for name in ("a", "b"):
        save_model(build().to(dtype), tmp_path / name, eos_token_id=0)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert first == second
    assert load_model(tmp_path / "a").head.weight.dtype == dtype


def edit_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def truncate(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def drop(folder):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    del tensors["lm_head.bias"]
    save_file(tensors, file)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, r"model\.safetensors is damaged"),
        (drop, r"no tensor 'lm_head\.bias'"),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            r"model\.safetensors is not there",
        ),
        (lambda folder: edit_config(folder, vocab_size=65), r"embed\.weight has shape \(64, 48\)"),
        (lambda folder: edit_config(folder, num_hidden_layers=2), r"tensors that phi has not"),
        (lambda folder: edit_config(folder, hidden_act="silu"), r"hidden_act='silu'"),
        (lambda folder: edit_config(folder, num_key_value_heads=2), r"num_key_value_heads differs"),
    ],
    ids=["truncated", "tensor", "file", "shape", "layers", "activation", "grouped"],
)
def test_a_damaged_folder_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(ArtifactError, match=message):
        load_model(folder)
