"""Our folders are those of transformers' Phi, and damage is named."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from hornbook.errors import ArtifactError
from hornbook.model.checkpoint import load_model, save_model, to_released
from hornbook.model.phi import Phi
from tests.model.conftest import SHAPE, build

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


def drop_settings(folder, *names):
    file = folder / "config.json"
    kept = {
        name: value for name, value in json.loads(file.read_text()).items() if name not in names
    }
    file.write_text(json.dumps(kept))


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
        (lambda folder: edit_config(folder, rope_scaling={"type": "linear"}), r"rope_scaling="),
        (lambda folder: edit_config(folder, rope_parameters={"rope_type": "yarn"}), r"'yarn'"),
        (lambda folder: drop_settings(folder, "vocab_size"), r"config\.json has no vocab_size"),
    ],
    ids=[
        "truncated",
        "tensor",
        "file",
        "shape",
        "layers",
        "activation",
        "grouped",
        "scaled",
        "rotation",
        "setting",
    ],
)
def test_a_damaged_folder_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(ArtifactError, match=message):
        load_model(folder)


@pytest.mark.parametrize("shard_bytes", [30_000, 60_000])
def test_shards_hold_no_more_than_asked_and_load_to_the_same_tensors(model, tmp_path, shard_bytes):
    files = save_model(model, tmp_path, eos_token_id=0, shard_bytes=shard_bytes)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert sorted(set(index["weight_map"].values())) == files
    assert files[-1] == f"model-{len(files):05d}-of-{len(files):05d}.safetensors"
    assert index["metadata"]["total_parameters"] == model.num_parameters()
    for file in files:
        tensors = load_file(tmp_path / file)
        assert sum(tensor.nbytes for tensor in tensors.values()) <= shard_bytes
        assert all(index["weight_map"][name] == file for name in tensors)
    again = load_model(tmp_path)
    for before, after in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(before, after)
    assert peer_of(tmp_path).num_parameters() == model.num_parameters()


def test_a_tensor_larger_than_a_shard_is_a_file_of_its_own(model, tmp_path):
    files = save_model(model, tmp_path, eos_token_id=0, shard_bytes=1)
    assert len(files) == len(to_released(dict(model.named_parameters())))


def test_a_missing_shard_is_named(model, tmp_path):
    files = save_model(model, tmp_path, eos_token_id=0, shard_bytes=30_000)
    (tmp_path / files[2]).unlink()
    with pytest.raises(ArtifactError, match=rf"{files[2]} is not there"):
        load_model(tmp_path)


def older(model, kind):
    """The tensors and the configuration of `model` as microsoft/phi-1_5 had them in 2023."""
    shape = model.shape
    first, last = ("transformer.embd", "lm_head") if kind == "phi-msft" else (
        "layers.0", f"layers.{shape.layers + 1}")  # fmt: skip
    parts = {"norm": "ln", "qkv": "mixer.Wqkv", "dense": "mixer.out_proj", "fc1": "mlp.fc1",
             "fc2": "mlp.fc2"}  # fmt: skip
    tensors = {}
    for name, tensor in model.state_dict().items():
        module, *rest = name.split(".")
        if module == "blocks":
            layer = int(rest[0])
            block = f"transformer.h.{layer}" if kind == "phi-msft" else f"layers.{layer + 1}"
            tensors[f"{block}.{parts[rest[1]]}.{rest[2]}"] = tensor
        else:
            outer = {"embed": f"{first}.wte", "norm": f"{last}.ln", "head": f"{last}.linear"}
            tensors[f"{outer[module]}.{rest[0]}"] = tensor
    tensors["layers.1.mixer.rotary_emb.inv_freq"] = torch.ones(3)
    config = {
        "model_type": kind, "n_embd": shape.width, "n_head": shape.heads, "n_layer": shape.layers,
        "n_inner": shape.mlp_width, "n_positions": shape.context_tokens, "vocab_size": 64,
        "rotary_dim": shape.rotary_channels, "layer_norm_epsilon": shape.norm_eps,
        "activation_function": "gelu_new", "torch_dtype": "float32",
    }  # fmt: skip
    return tensors, config


@pytest.mark.parametrize("kind", ["phi-msft", "mixformer-sequential"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_the_layouts_of_2023_load_to_the_same_logits(model, tmp_path, ids, kind, file):
    tensors, config = older(model, kind)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (save_file if file.endswith("safetensors") else torch.save)(tensors, tmp_path / file)
    got = load_model(tmp_path, attention="explicit")
    # tensors of a file begin elsewhere in memory, and torch may sum them in another order
    torch.testing.assert_close(got(ids), model(ids), rtol=0, atol=1e-5)
    assert all(map(torch.equal, got.parameters(), model.parameters()))


def test_a_tensor_that_an_older_layout_never_had_is_named(model, tmp_path):
    tensors, config = older(model, "phi-msft")
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(tensors | {"transformer.h.0.mixer.gate": torch.ones(1)},
              tmp_path / "model.safetensors")  # fmt: skip
    with pytest.raises(ArtifactError, match=r"first 'transformer\.h\.0\.mixer\.gate'"):
        load_model(tmp_path)


class Command:
    def __reduce__(self):
        return print, ("run by a pickle",)


def test_a_pickle_that_would_run_code_is_refused(folder, capsys):
    (folder / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Command()}, folder / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin cannot be read as weights"):
        load_model(folder)
    assert "run by a pickle" not in capsys.readouterr().out


@pytest.mark.parametrize(("heads", "rotary"), [(4, 10), (2, 18), (1, 20), (3, 30)])
def test_every_number_of_rotated_channels_survives_the_share_in_config(tmp_path, heads, rotary):
    width = heads * {10: 24, 18: 34, 20: 38, 30: 44}[rotary]
    shape = replace(SHAPE, width=width, heads=heads, rotary_channels=rotary)
    model = Phi(shape, vocab_size=8, attention="explicit")
    model.initialise(0)
    save_model(model, tmp_path, eos_token_id=None)
    assert load_model(tmp_path).shape.rotary_channels == rotary
    config = json.loads((tmp_path / "config.json").read_text())
    # as transformers and as llama.cpp's converter count them
    assert int(width // heads * config["partial_rotary_factor"]) == rotary
    assert int(config["partial_rotary_factor"] * width) // heads == rotary
