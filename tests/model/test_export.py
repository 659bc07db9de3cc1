"""An exported folder is read by transformers, by lm-eval's HFLM, and by name by llama.cpp."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from hornbook.__main__ import main
from hornbook.errors import ArtifactError, InputError
from hornbook.model.checkpoint import load_model, save_model
from hornbook.model.export import bytes_of, export
from hornbook.model.phi import Phi
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.published import from_files
from hornbook.tokens.vocabulary import fit, save
from tests.model.conftest import SHAPE, VOCABULARY

transformers = pytest.importorskip("transformers")

TEXT = "def add(a, b):\n    return a + b  # 12 + 30 = 42\n\n\tOnce upon a time, there was a fox."
# llama.cpp: the names its converter maps tensors of PhiForCausalLM to, without the block's number
GGUF_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.final_layernorm.weight": "output_norm.weight",
    "model.final_layernorm.bias": "output_norm.bias",
    "lm_head.weight": "output.weight",
    "lm_head.bias": "output.bias",
} | {
    f"model.layers.N.{ours}.{kind}": f"blk.N.{theirs}.{kind}"
    for kind in ("weight", "bias")
    for ours, theirs in {
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.dense": "attn_output",
        "mlp.fc1": "ffn_up",
        "mlp.fc2": "ffn_down",
    }.items()
}
# what its converter asks of config.json for PhiForCausalLM (Phi2Model.set_gguf_parameters)
GGUF_SETTINGS = (
    "num_hidden_layers",
    "partial_rotary_factor",
    "hidden_size",
    "num_attention_heads",
    "max_position_embeddings",
    "layer_norm_eps",
    "vocab_size",
)


def vocabulary(kind, shared):
    if kind == "files":
        return from_files(shared / "tokenizer", eos_text="<|endoftext|>", added_tokens=True)
    return fit([TEXT] * 4, vocab_size=400, whole_numbers_to=20, min_frequency=2,
               eos_text="<|endoftext|>")  # fmt: skip


@pytest.fixture(params=["fit", "files"])
def trained(request, tmp_path):
    """A folder as stage `train` leaves it, with a vocabulary of ours and one of GPT-2's."""
    shared = request.getfixturevalue("shared") if request.param == "files" else None
    made = vocabulary(request.param, shared)
    size = made.tokens + 5  # padding rows
    folder = tmp_path / "trained"
    folder.mkdir()
    save(made, folder, kind=request.param, vocab_size=size)
    model = Phi(SHAPE, vocab_size=size, attention="explicit")
    model.initialise(0)
    save_model(model, folder, eos_token_id=made.eos)
    return folder


def test_transformers_reads_an_export_with_the_same_ids_logits_and_end(trained, tmp_path, capsys):
    target = tmp_path / "exported model"
    assert main(["export", str(trained), str(target), "--shard-size", "40KB"]) == 0
    assert "model-00001-of-" in capsys.readouterr().out
    tokenizer = transformers.AutoTokenizer.from_pretrained(target)
    ours = Encoder.load(trained)
    ids = ours.encode(TEXT)
    assert tokenizer(TEXT)["input_ids"] == ids
    assert tokenizer.decode(ids) == TEXT
    assert tokenizer.eos_token_id == ours.eos
    assert tokenizer.model_max_length == SHAPE.context_tokens
    peer = transformers.AutoModelForCausalLM.from_pretrained(target, dtype="auto")
    assert peer.generation_config.eos_token_id == ours.eos
    batch = torch.tensor([ids[: SHAPE.context_tokens]])
    with torch.no_grad():
        difference = (peer(batch).logits - load_model(trained)(batch)).abs().max().item()
    assert difference < 1e-5


def test_an_export_has_the_files_of_the_release(trained, tmp_path):
    export(trained, tmp_path / "out", shard_bytes=10**9)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "added_tokens.json",
        "config.json",
        "generation_config.json",
        "merges.txt",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    }


def test_hflm_scores_an_export_as_we_do(trained, tmp_path):
    pytest.importorskip("accelerate")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    export(trained, tmp_path / "out", shard_bytes=10**9)
    context, answer = "Once upon a time", ", there was"
    request = Instance("loglikelihood", {}, (context, answer), 0)
    peer = HFLM(pretrained=str(tmp_path / "out"), device="cpu", batch_size=1, dtype="float32")
    assert peer.max_length == SHAPE.context_tokens
    ((theirs, _),) = peer.loglikelihood([request], disable_tqdm=True)
    encoder = Encoder.load(trained)
    first, second = encoder.encode(context), encoder.encode(answer)
    logits = load_model(trained)(torch.tensor([first + second]))[0].log_softmax(-1)
    ours = sum(logits[len(first) - 1 + n, token].item() for n, token in enumerate(second))
    assert theirs == pytest.approx(ours, abs=1e-4)


def test_llama_cpp_knows_every_tensor_and_setting(trained, tmp_path):
    export(trained, tmp_path / "out", shard_bytes=10**9)
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    numbered = {name.replace(f"layers.{n}.", "layers.N."): name
                for name in tensors for n in range(SHAPE.layers) if f"layers.{n}." in name
                or "layers." not in name}  # fmt: skip
    assert set(numbered) == set(GGUF_NAMES)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == ["PhiForCausalLM"]
    assert set(GGUF_SETTINGS) <= set(config)
    rotated = int(config["partial_rotary_factor"] * config["hidden_size"])
    assert rotated // config["num_attention_heads"] == SHAPE.rotary_channels


def test_gguf_maps_our_tensors_and_reads_our_special_tokens(trained, tmp_path):
    gguf = pytest.importorskip("gguf")
    export(trained, tmp_path / "out", shard_bytes=10**9)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.PHI2, SHAPE.layers)
    for name in load_file(tmp_path / "out" / "model.safetensors"):
        got = names.get_name(name, try_suffixes=(".weight", ".bias"))
        number = name.split(".")[2] if "layers." in name else ""
        key = name.replace(f"layers.{number}.", "layers.N.")
        assert got == GGUF_NAMES[key].replace("N", number)
    special = gguf.SpecialVocab(tmp_path / "out", load_merges=True)
    assert special.special_token_ids["eos"] == Encoder.load(trained).eos
    assert special.merges


def test_the_dtype_is_chosen_and_overflow_is_refused(trained, tmp_path):
    export(trained, tmp_path / "half", dtype="float16", shard_bytes=10**9)
    assert load_model(tmp_path / "half").head.weight.dtype == torch.float16
    tensors = load_file(trained / "model.safetensors")
    tensors["lm_head.bias"][3] = 1e6
    save_file(tensors, trained / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match=r"head\.bias holds a value that torch\.float16"):
        export(trained, tmp_path / "other", dtype="float16", shard_bytes=10**9)
    assert not (tmp_path / "other").exists()


def test_a_folder_of_transformers_is_exported_with_its_own_tokenizer(tmp_path):
    peer = transformers.PhiForCausalLM(
        transformers.PhiConfig(
            vocab_size=VOCABULARY, hidden_size=48, intermediate_size=192, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=32, eos_token_id=3,
        )
    )  # fmt: skip
    peer.save_pretrained(tmp_path / "peer")
    with pytest.raises(ArtifactError, match=r"neither tokenizer\.json nor vocab\.json.*--tokeni"):
        export(tmp_path / "peer", tmp_path / "out", shard_bytes=10**9)
    (tmp_path / "peer" / "tokenizer.json").write_text('{"its": "own"}')
    export(tmp_path / "peer", tmp_path / "out", shard_bytes=10**9)
    assert (tmp_path / "out" / "tokenizer.json").read_text() == '{"its": "own"}'
    assert json.loads((tmp_path / "out" / "config.json").read_text())["eos_token_id"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nothing", "out"],
            r"neither a folder with config.json nor a trained variant.*nothing is",
        ),
        (["{source}", "full"], r"full is there already; it is no exported model"),
        (["{source}", "done"], r"done is there already; add --replace"),
        (["{source}", "{source}"], r"holds the source"),
        (["{source}", "out", "--shard-size", "5 apples"], r"--shard-size=5 apples: expected"),
    ],
    ids=["unknown", "full", "twice", "itself", "size"],
)
def test_an_impossible_export_names_the_remedy(
    trained, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    export(trained, tmp_path / "done", shard_bytes=10**9)
    told = [one.format(source=trained) for one in arguments]
    assert main(["export", *told]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert (tmp_path / "full" / "thesis.tex").exists()


def test_an_export_replaces_an_earlier_one_when_asked(trained, tmp_path):
    for _ in range(2):
        export(trained, tmp_path / "out", shard_bytes=40_000, is_replacing=True)
    assert (tmp_path / "out" / "model.safetensors.index.json").exists()
    export(trained, tmp_path / "out", shard_bytes=10**9, is_replacing=True)
    assert not (tmp_path / "out" / "model.safetensors.index.json").exists()


def test_a_variant_that_was_edited_by_hand_is_refused(trained, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "artifacts" / "train" / "toy"
    folder.parent.mkdir(parents=True)
    trained.rename(folder)
    monkeypatch.chdir(tmp_path)
    lock = {"stages": {"train@toy": {"cmd": "x", "outs": [
        {"path": "artifacts/train/toy", "md5": "0.dir", "size": 1}]}}}  # fmt: skip
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    assert main(["export", "toy", "out"]) == 2
    assert "is not what dvc.lock records for train@toy" in capsys.readouterr().err
    (tmp_path / "dvc.lock").unlink()
    assert main(["export", "toy", "out"]) == 0


@pytest.mark.parametrize(
    ("text", "size"), [("5GB", 5 * 10**9), ("1.5 MiB", 1572864), ("4096", 4096), ("10kb", 10000)]
)
def test_sizes_are_read_with_their_units(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["0GB", "GB", "-5GB", "5TB"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"--shard-size"):
        bytes_of(text)
