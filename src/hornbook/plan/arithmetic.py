"""Parameters, operations and bytes of a model, in closed form.

Letters in this file: D width, M width of the MLP, L layers, N heads, V vocabulary, T context.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hornbook.model.config import Model
from hornbook.train.config import Train

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FP32 = 4
# numbers that DeepSpeed sends at once: train/zero.py
_BUCKET = 100_000_000
# numbers of which the softmax is made at a time: train/head_loss.py
_SOFTMAX = 2**27
# checkpoints a minute apart, and so far apart that a run writes 10 MB/s on average: the 17 GB of
# phi-1.5 every 28 minutes, where one a minute would be 73 TB over its 150B tokens
_LEAST_SECONDS, _CHECKPOINT_RATE = 60.0, 10e6


def parameters_by_part(shape: Model, vocab_size: int) -> dict[str, int]:
    """Weights and biases of each part of the model; their sum is all there are."""
    width, mlp = shape.width, shape.mlp_width
    attention = 4 * (width * width + width)
    feed_forward = width * mlp + mlp + mlp * width + width
    return {
        "embedding": vocab_size * width,
        "attention": shape.layers * attention,
        "mlp": shape.layers * feed_forward,
        "norms": (shape.layers + 1) * 2 * width,
        "head": vocab_size * width + vocab_size,
    }


def flops_per_token(shape: Model, vocab_size: int) -> dict[str, int]:
    """Floating-point operations of forward and backward for a token, counted three ways.

    `6N` is 6 for each parameter that multiplies: all but the embedding, whose rows are looked up.
    `causal` is 6 for each weight of a matrix and the half of the attention square that a causal
    mask leaves; `full` has the whole square. MFU is `causal`, wherever we print it ourselves.
    """
    parts = parameters_by_part(shape, vocab_size)
    width = shape.width
    matrices = shape.layers * (4 * width * width + 2 * width * shape.mlp_width)
    matrices += vocab_size * width
    square = 12 * shape.layers * width * shape.context_tokens
    return {
        "6N": 6 * (sum(parts.values()) - parts["embedding"]),
        "causal": 6 * matrices + square // 2,
        "full": 6 * matrices + square,
    }


@dataclass(frozen=True)
class Layout:
    """How a run is spread over devices."""

    engine: str
    ranks: int
    micro_sequences: int
    dtype: str
    attention: str
    device: str
    is_recomputing: bool  # activation checkpointing

    @classmethod
    def of(cls, settings: Train) -> "Layout":
        """As the settings say."""
        return cls(
            engine=settings.engine,
            ranks=settings.ranks,
            micro_sequences=settings.micro_sequences,
            dtype=settings.dtype,
            attention=settings.attention,
            device=settings.device,
            is_recomputing=settings.activation_checkpointing,
        )


def memory_by_part(shape: Model, vocab_size: int, layout: Layout) -> dict[str, int]:
    """Bytes on each device at the end of a forward pass, where most is held at once.

    Source: ZeRO stage 2 (arXiv 1910.02054) for what ranks share; for activations, what autograd
    keeps of our blocks, which a test counts.
    """
    parameters = sum(parameters_by_part(shape, vocab_size).values())
    width = DTYPE_BYTES[layout.dtype]
    tokens = layout.micro_sequences * shape.context_tokens
    is_sharded = layout.engine == "deepspeed"
    share = layout.ranks if is_sharded else 1
    buckets = 3 * min(parameters, _BUCKET) * width if is_sharded else 0
    # one process adds the gradients of its passes up in fp32; ZeRO keeps only its part of them
    passing = 0 if is_sharded else parameters * width
    layers = 1 if layout.is_recomputing else shape.layers
    kept = layers * activation_bytes(shape, layout) * tokens
    if layout.is_recomputing:
        kept += shape.layers * shape.width * width * tokens
    return {
        "weights": parameters * width,
        "gradients": parameters * _FP32 // share + passing + buckets,
        "optimizer": parameters * 3 * _FP32 // share,
        "activations": kept + shape.width * width * tokens,
        "logits": logit_bytes(vocab_size, tokens, layout),
    }


def activation_bytes(shape: Model, layout: Layout) -> int:
    """Bytes that one block keeps of one token for its backward pass.

    Its input; the normed input; query, key and value; what attention mixed (a CPU's kernel has it
    twice, in two orders); the MLP before and after its nonlinearity. Beside them two fp32 numbers
    of the norm and one a head of attention, or, in explicit attention, the softmax of every head
    over the whole context.
    """
    width = DTYPE_BYTES[layout.dtype]
    kept = 6 * shape.width + 2 * shape.mlp_width
    if layout.attention == "explicit":
        return width * (kept + shape.heads * shape.context_tokens) + 2 * _FP32
    if layout.device == "cpu":
        kept += shape.width
    return width * kept + (2 + shape.heads) * _FP32


def logit_bytes(vocab_size: int, tokens: int, layout: Layout) -> int:
    """Bytes of the logits, and of their softmax in fp32: on a GPU of some rows at a time."""
    numbers = vocab_size * tokens
    at_a_time = numbers if layout.device == "cpu" else min(numbers, _SOFTMAX)
    return numbers * DTYPE_BYTES[layout.dtype] + at_a_time * _FP32


def checkpoint_bytes(shape: Model, vocab_size: int) -> int:
    """Bytes of a checkpoint from which training goes on: fp32 masters and both moments."""
    return 3 * _FP32 * sum(parameters_by_part(shape, vocab_size).values())


def seconds_between(size: int) -> float:
    """Time from one checkpoint of `size` bytes to the next, where nobody says."""
    return max(_LEAST_SECONDS, size / _CHECKPOINT_RATE)


def total(parts: Mapping[str, int]) -> int:
    """The sum over the parts."""
    return sum(parts.values())
