"""A checkpoint that was not trained here: any causal language model for transformers.

Axis letters in this file: B row, T position, V vocabulary.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError
from hornbook.model.checkpoint import CONFIG, load_model, shape_of
from hornbook.model.older import OLDER_TYPES, modern_config
from hornbook.model.phi import Attention, Phi
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.transformers_tokenizer import TransformersTokenizer

OURS, THEIRS = "hornbook", "transformers"  # whose code computes

# how configurations call the most positions that a model was trained for
_CONTEXT = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
    "context_length",
)
# as transformers names the backends; None is the best that it has for the architecture
_ATTENTION: Mapping[Attention, str | None] = {
    "explicit": "eager",
    "sdpa": None,
    "flash": "flash_attention_2",
}


@dataclass(frozen=True)
class Compared:
    """A checkpoint with its own tokenizer.

    Attributes:
        network: A `Phi` of ours where the checkpoint has its layout, else a class of transformers.
        logits: Ids BT to logits BTV.
        facts: Architecture, parameters, context and whose code computes, as plain values.
    """

    network: Any
    encoder: Encoder | TransformersTokenizer
    context_tokens: int
    logits: Callable[[Tensor], Tensor]
    facts: dict[str, Any]


def load_compared(
    folder: Path, device: str, dtype: torch.dtype, *, attention: Attention
) -> Compared:
    """The checkpoint of a folder, ready to evaluate; no code that the folder brings is run.

    Raises:
        ArtifactError: It cannot be loaded, is not whole, or its tokenizer is another model's.
    """
    encoder = tokenizer_of(folder)
    # ours knows no ids before a text
    is_ours = is_phi(folder) and (isinstance(encoder, Encoder) or not encoder.start)
    if is_ours:
        network: Any = load_model(folder, device, dtype, attention=attention)
        context, rows = network.shape.context_tokens, network.vocab_size
    else:
        network = load_transformers(folder, device, dtype, attention=attention)
        context = context_of(network, folder)
        rows = network.get_input_embeddings().weight.shape[0]
    if encoder.tokens > rows:
        raise ArtifactError(
            f"{folder}: the tokenizer has ids up to {encoder.tokens - 1:,}, the model's embedding "
            f"{rows:,} rows; they are not of one training: copy the tokenizer that belongs to it"
        )
    config = read_json(folder / CONFIG)
    facts = {
        "architecture": next(iter(config.get("architectures") or []), config.get("model_type")),
        "parameters": sum(one.numel() for one in network.parameters()),
        "context_tokens": context,
        "computed_by": OURS if is_ours else THEIRS,
    }
    if isinstance(network, Phi):
        network.pack()
        return Compared(network, encoder, context, network.forward, facts)
    return Compared(network, encoder, context, _logits(network), facts)


def _logits(network: Any) -> Callable[[Tensor], Tensor]:  # noqa: ANN401 - of transformers
    return lambda ids_BT: network(input_ids=ids_BT, use_cache=False).logits


def tokenizer_of(folder: Path) -> Encoder | TransformersTokenizer:
    """The tokenizer of a checkpoint: ours where a training of ours wrote it."""
    is_of_a_training = is_phi(folder) and (folder / "meta.json").exists()
    return Encoder.load(folder) if is_of_a_training else TransformersTokenizer.load(folder)


def is_phi(folder: Path) -> bool:
    """Whether `load_model` reads the folder: phi-1.5's layout, today's or of 2023."""
    config = read_json(folder / CONFIG)
    if config.get("model_type") in OLDER_TYPES:
        config = modern_config(config)
    if config.get("model_type") != "phi":
        return False
    try:
        shape_of(config, folder / CONFIG)
    except ArtifactError:
        return False  # a phi with what 1.5 has not
    return True


def load_transformers(
    folder: Path, device: str, dtype: torch.dtype, *, attention: Attention
) -> Any:  # noqa: ANN401 - a class of transformers, which has no types
    """The model of a folder, ready to evaluate; no code that the folder brings is run.

    Raises:
        ArtifactError: It cannot be loaded, or some of its weights are not there.
    """
    os.environ |= {"HF_HUB_OFFLINE": "1"}  # nobody is called unasked
    from transformers import AutoModelForCausalLM, GenerationConfig

    chosen = _ATTENTION[attention]
    how = {} if chosen is None else {"attn_implementation": chosen}
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False,
            output_loading_info=True, **how,
        )  # fmt: skip
        model, told = loaded
    except Exception as error:
        raise ArtifactError(
            f"{folder}: transformers cannot load it as a causal language model "
            f"({' '.join(str(error).split())[:300]}); copy the whole folder again, or leave it out "
            f"of models.compare"
        ) from error
    # transformers would go on with random numbers in their place
    if lacking := sorted({*told["missing_keys"], *(one[0] for one in told["mismatched_keys"])}):
        raise ArtifactError(
            f"{folder}: its weights have no {lacking[0]} of the shape that {CONFIG} asks for "
            f"({len(lacking)} tensors in all); is it a model without its head, or of another size?"
        )
    # ours alone says how a text is written: a model's own may forbid or repeat tokens
    model.generation_config = GenerationConfig()
    return model.eval().requires_grad_(requires_grad=False).to(device)


def context_of(network: Any, folder: Path) -> int:  # noqa: ANN401 - of transformers
    """The most tokens that the model was made to read.

    Raises:
        ArtifactError: Its configuration does not say, nor does its architecture.
    """
    config = network.config.get_text_config()  # of a model that also sees, the part that reads
    for key in _CONTEXT:
        found = getattr(config, key, None)
        if isinstance(found, int) and found > 0:
            return found
    raise ArtifactError(
        f"{folder}/{CONFIG} does not say how many tokens the model reads; add "
        f'"max_position_embeddings" with the length that it was trained for'
    )
