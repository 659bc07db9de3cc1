"""What a written token takes, as the paper's Table 1 states it: time, and memory at a context.

Axis letters in this file: B row, T position.
"""

import statistics
import time
from typing import Any

import torch

from hornbook.measure.device import product_name
from hornbook.model.phi import KVCache, Phi

CONTEXT_TOKENS = 2048  # at which Table 1 states memory
LAST_TOKENS, ROUNDS = 32, 4  # the first round warms up


@torch.inference_mode()
def inference(model: Phi) -> dict[str, Any]:
    """Time and memory of greedy text, one at a time, with keys and values kept.

    `ms_per_token` is the median over the last tokens of a full context, where there is most to
    attend to; `memory_mib` the most that the GPU held meanwhile, on a CPU the size of weights and
    cache (`memory_of` says which). The context is that of the paper or the model's, where that is
    shorter.
    """
    weight = model.head.weight
    device, is_cuda = weight.device, weight.device.type == "cuda"
    context = min(CONTEXT_TOKENS, model.shape.context_tokens)
    start = max(1, context - LAST_TOKENS)
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    cache = KVCache(model.shape, rows=1, slots=context, device=device, dtype=weight.dtype)
    ids_BT = torch.arange(start, device=device)[None] % model.vocab_size
    first_BT = _next(model, ids_BT, cache)
    took: list[float] = []
    for _ in range(ROUNDS):
        cache.length = start
        took = [*took, *_last_tokens(model, first_BT, cache)]
    warm = took[context - start :]
    held = torch.cuda.max_memory_allocated(device) if is_cuda else _bytes(model, cache)
    return {
        "ms_per_token": round(1000 * statistics.median(warm), 4),
        "memory_mib": round(held / 2**20, 2),
        "memory_of": "peak" if is_cuda else "weights and cache",
        "context_tokens": context,
        "dtype": str(weight.dtype).removeprefix("torch."),
        "attention": model.attention,
        "device": product_name(device.type, torch.get_num_threads()),
    }


def _next(model: Phi, ids_BT: torch.Tensor, cache: KVCache) -> torch.Tensor:
    return model.head(model.hidden(ids_BT, cache)[:, -1]).argmax(-1)[:, None]


def _last_tokens(model: Phi, token_BT: torch.Tensor, cache: KVCache) -> list[float]:
    """Seconds of each token until the cache is full, each read before the next one is begun."""
    took: list[float] = []
    while cache.length < cache.slots:
        began = time.perf_counter()
        token_BT = _next(model, token_BT, cache)
        token_BT.tolist()  # waits for the GPU, as a reader of the text does
        took.append(time.perf_counter() - began)
    return took


def _bytes(model: Phi, cache: KVCache) -> int:
    """Of the weights, once, and of keys and values."""
    kept = (*model.parameters(), cache.keys_LBNSH, cache.values_LBNSH)
    return sum(tensor.numel() * tensor.element_size() for tensor in kept)
