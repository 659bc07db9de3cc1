"""Model folders in the layout of microsoft/phi-1_5: what transformers reads, we read, and back."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError
from hornbook.model.config import Model
from hornbook.model.older import OLDER_TYPES, modern_config, modern_tensors
from hornbook.model.phi import Attention, Phi
from hornbook.model.weights import read_weights, write_weights

CONFIG = "config.json"
_REQUIRED = (
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "vocab_size",
)
SHARD_BYTES = 5_000_000_000  # phi-1.5 in fp16 is one file, as released
_OUTER = {"embed": "model.embed_tokens", "norm": "model.final_layernorm", "head": "lm_head"}
_INNER = {
    "norm": "input_layernorm",
    "dense": "self_attn.dense",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def released_names(name: str) -> list[str]:
    """Tensor names of microsoft/phi-1_5 for one of ours; three where ours holds q, k and v."""
    if not name.startswith("blocks."):
        module, kind = name.split(".")
        return [f"{_OUTER[module]}.{kind}"]
    _, layer, module, kind = name.split(".")
    parts = [f"self_attn.{part}_proj" for part in "qkv"] if module == "qkv" else [_INNER[module]]
    return [f"model.layers.{layer}.{part}.{kind}" for part in parts]


def to_released(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors (or anything of their shapes, such as gradients) under the released names."""
    released: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        names = released_names(name)
        parts = tensor.chunk(len(names))
        released |= {new: part.contiguous() for new, part in zip(names, parts, strict=True)}
    return released


def config_of(model: Phi, *, eos_token_id: int | None) -> dict[str, Any]:
    """`config.json` of the released layout."""
    shape = model.shape
    return {
        "architectures": ["PhiForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": eos_token_id,
        "embd_pdrop": 0.0,
        "eos_token_id": eos_token_id,
        "hidden_act": "gelu_new",
        "hidden_size": shape.width,
        "initializer_range": shape.init_std,
        "intermediate_size": shape.mlp_width,
        "layer_norm_eps": shape.norm_eps,
        "max_position_embeddings": shape.context_tokens,
        "model_type": "phi",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "partial_rotary_factor": _rotary_share(shape),
        "qk_layernorm": False,
        "resid_pdrop": 0.0,
        "rope_scaling": None,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": False,
        "torch_dtype": str(model.head.weight.dtype).removeprefix("torch."),
        "use_cache": True,
        "vocab_size": model.vocab_size,
    }


def _rotary_share(shape: Model) -> float:
    """The share of rotated channels that readers, who round down, turn into their number."""
    share = shape.rotary_channels / shape.head_channels
    while int(share * shape.head_channels) < shape.rotary_channels:
        share = math.nextafter(share, 1.0)
    return share


def save_model(
    model: Phi, folder: Path, *, eos_token_id: int | None, shard_bytes: int = SHARD_BYTES
) -> list[str]:
    """Names of the files with the weights, written with `config.json` into `folder`.

    Equal weights give equal bytes.
    """
    weights = {name: tensor.detach().cpu() for name, tensor in model.named_parameters()}
    files = write_weights(to_released(weights), folder, shard_bytes)
    write_json(folder / CONFIG, config_of(model, eos_token_id=eos_token_id))
    return files


def load_model(
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    *,
    attention: Attention = "sdpa",
) -> Phi:
    """The model of a folder in the released layout, one file or several, ready to evaluate.

    Args:
        folder: Holds `config.json` and the weights, such as the output of a `train` stage or a
            download of microsoft/phi-1_5 at any revision.
        device: Where the weights go.
        dtype: What the weights become; None keeps the one of the file.
        attention: The backend; `explicit` is faster on a CPU at contexts of 128 and less.

    Raises:
        ArtifactError: A file is absent or damaged, a tensor is missing, unknown or of the wrong
            shape, or the configuration asks for what phi-1.5 does not have.
    """
    config = read_json(folder / CONFIG)
    is_older = config.get("model_type") in OLDER_TYPES
    if is_older:
        config = modern_config(config)
    shape = shape_of(config, folder / CONFIG)
    dtype = dtype or DTYPES[config.get("torch_dtype") or config.get("dtype") or "float32"]
    with torch.device("meta"):
        model = Phi(shape, vocab_size=config["vocab_size"], attention=attention)
    tensors = read_weights(folder)
    found = dict(modern_tensors(tensors, shape.layers) if is_older else tensors)
    weights: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        parts = [_take(found, part, folder) for part in released_names(name)]
        tensor = torch.cat(parts) if len(parts) > 1 else parts[0]
        if tensor.shape != parameter.shape:
            raise ArtifactError(
                f"{folder}: {name} has shape {tuple(tensor.shape)}, config.json asks for "
                f"{tuple(parameter.shape)}; the two files are not of one model"
            )
        weights[name] = tensor.to(device=device, dtype=dtype)
    if found:
        raise ArtifactError(
            f"{folder}: {len(found)} tensors that phi has not, first {min(found)!r}; "
            f"is this a {config.get('model_type')!r} model of another shape?"
        )
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(requires_grad=False)


def shape_of(config: Mapping[str, Any], file: Path) -> Model:
    """The shape that `config.json` describes.

    Raises:
        ArtifactError: It describes another architecture.
    """
    expected = {
        "model_type": "phi",
        "hidden_act": "gelu_new",
        "tie_word_embeddings": False,
        "qk_layernorm": False,
        "rope_scaling": None,
        "quantization_config": None,
    }
    for key, value in expected.items():
        if config.get(key, value) != value:
            raise ArtifactError(f"{file}: {key}={config[key]!r}; this model has {value!r}")
    if missing := [key for key in _REQUIRED if key not in config]:
        raise ArtifactError(f"{file} has no {', '.join(missing)}; copy it again from its source")
    heads = config["num_attention_heads"]
    if config.get("num_key_value_heads") not in {None, heads}:
        raise ArtifactError(f"{file}: num_key_value_heads differs from num_attention_heads={heads}")
    # transformers 5 writes what it knows of rotation into a mapping of its own
    rope = {"partial_rotary_factor": 0.5, "rope_theta": 10000.0, **config}
    rope |= config.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        raise ArtifactError(f"{file}: rope_type={rope['rope_type']!r}; this model has 'default'")
    return Model(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=heads,
        rotary_channels=int(rope["partial_rotary_factor"] * (config["hidden_size"] // heads)),
        mlp_width=config["intermediate_size"],
        context_tokens=config["max_position_embeddings"],
        norm_eps=config["layer_norm_eps"],
        rope_theta=float(rope["rope_theta"]),
        init_std=config["initializer_range"],
    )


def _take(found: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in found:
        raise ArtifactError(f"{folder}: the weights hold no tensor {name!r}")
    return found.pop(name)
