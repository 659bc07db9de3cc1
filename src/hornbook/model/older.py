"""The two layouts in which microsoft/phi-1_5 was first released, as today's.

`mixformer-sequential` (September 2023) numbers embedding, blocks and head as one list of layers;
`phi-msft` (December 2023) has the same modules under names of a transformer. Query, key and value
are one matrix in both, in the order of ours; the arithmetic is the same.
Source: the modelling files of those revisions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor

OLDER_TYPES = frozenset({"phi-msft", "mixformer-sequential"})
_BLOCK = re.compile(r"(?:transformer\.h|layers)\.(\d+)\.(ln|mixer|mlp)\.(.+)")
_INNER = {
    "ln": "input_layernorm",
    "mixer.out_proj": "self_attn.dense",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def modern_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config.json` of an older layout with the keys of the released one."""
    width, heads = config["n_embd"], config["n_head"]
    return {
        "model_type": "phi",
        "hidden_act": config.get("activation_function", "gelu_new"),
        "hidden_size": width,
        "initializer_range": config.get("initializer_range", 0.02),
        "intermediate_size": config.get("n_inner") or 4 * width,
        "layer_norm_eps": config["layer_norm_epsilon"],
        "max_position_embeddings": config["n_positions"],
        "num_attention_heads": heads,
        "num_hidden_layers": config["n_layer"],
        "num_key_value_heads": config.get("n_head_kv") or heads,
        "partial_rotary_factor": config["rotary_dim"] / (width // heads),
        "qk_layernorm": False,
        "rope_theta": 10000.0,
        "tie_word_embeddings": config.get("tie_word_embeddings", False),
        "torch_dtype": config.get("torch_dtype", "float16"),
        "vocab_size": config["vocab_size"],
    }


def modern_tensors(
    tensors: Iterable[tuple[str, Tensor]], layers: int
) -> Iterator[tuple[str, Tensor]]:
    """Tensors of an older layout under the released names; rotary tables are left out."""
    for name, tensor in tensors:
        if "rotary_emb" in name:
            continue
        if ".Wqkv." in name:
            kind = name.rpartition(".")[2]
            block = f"model.layers.{_layer(name)}.self_attn"
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                yield f"{block}.{part}_proj.{kind}", piece
        else:
            yield _modern_name(name, layers), tensor


def _layer(name: str) -> int:
    number = int(name.split(".")[1 if name.startswith("layers.") else 2])
    return number - 1 if name.startswith("layers.") else number


def _modern_name(name: str, layers: int) -> str:
    """The released name; one that is not known stays, and is refused as such by the loader."""
    outer = {
        "transformer.embd.wte": "model.embed_tokens",
        "layers.0.wte": "model.embed_tokens",
        "lm_head.ln": "model.final_layernorm",
        f"layers.{layers + 1}.ln": "model.final_layernorm",
        "lm_head.linear": "lm_head",
        f"layers.{layers + 1}.linear": "lm_head",
    }
    module, _, kind = name.rpartition(".")
    if module in outer:
        return f"{outer[module]}.{kind}"
    found = _BLOCK.fullmatch(name)
    if found is None:
        return name
    part = module.split(".", 3 if name.startswith("transformer.") else 2)[-1]
    inner = _INNER.get(part)
    return name if inner is None else f"model.layers.{_layer(name)}.{inner}.{kind}"
