"""phi-1.5's decoder, whole: parallel attention and MLP behind one LayerNorm, partial rotary.

Axis letters in this file: B batch, T new position, S position that can be attended to, N head,
H head channel, P pair of rotated channels, D width, V vocabulary, L layer.
Source: section 2.1 of the paper and the released configuration of microsoft/phi-1_5.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from hornbook.model.causal import QUERIES_AT_ONCE, causal
from hornbook.model.config import Model
from hornbook.model.gelu import gelu
from hornbook.model.linear import Linear, can_pack
from hornbook.seeds import integer

Attention = Literal["explicit", "sdpa", "flash"]


class KVCache:
    """Keys and values of the positions seen so far, in memory that is allocated once.

    `Phi.forward(ids_BT, cache)` writes its T positions into slots [length, length + T) of every
    row and advances `length`. Assign `length` to go back to an earlier prefix; `expand` starts
    several continuations from one prefix. Rows share `length`: pad shorter prompts on the left
    and pass `positions_BT` and `mask_BTS`.
    """

    def __init__(
        self, shape: Model, *, rows: int, slots: int, device: torch.device | str, dtype: torch.dtype
    ) -> None:
        size = (shape.layers, rows, shape.heads, slots, shape.head_channels)
        self.keys_LBNSH = torch.zeros(size, device=device, dtype=dtype)
        self.values_LBNSH = torch.zeros(size, device=device, dtype=dtype)
        self.length = 0

    @property
    def slots(self) -> int:
        """Positions that fit."""
        return self.keys_LBNSH.shape[3]

    def expand(self, rows: int) -> "KVCache":
        """A copy in which each row stands `rows` times, one after the other."""
        copy = KVCache.__new__(KVCache)
        copy.keys_LBNSH = self.keys_LBNSH.repeat_interleave(rows, dim=1)
        copy.values_LBNSH = self.values_LBNSH.repeat_interleave(rows, dim=1)
        copy.length = self.length
        return copy

    def grown(self, rows: int, slots: int) -> "KVCache":
        """A copy of a cache of one row: `rows` times the same, with room for `slots` positions."""
        return self._copy([0] * rows, slots)

    def keep(self, rows: list[int]) -> "KVCache":
        """A copy with these rows only."""
        return self._copy(rows, self.slots)

    def _copy(self, rows: list[int], slots: int) -> "KVCache":
        copy = KVCache.__new__(KVCache)
        copy.length = self.length
        for name in ("keys_LBNSH", "values_LBNSH"):
            old = getattr(self, name)
            new = old.new_zeros((old.shape[0], len(rows), old.shape[2], slots, old.shape[4]))
            chosen = torch.tensor(rows, device=old.device)
            new[..., : self.length, :] = old[:, chosen, :, : self.length]
            setattr(copy, name, new)
        return copy

    def append(self, layer: int, key_BNTH: Tensor, value_BNTH: Tensor) -> tuple[Tensor, Tensor]:
        """Write the new positions of one layer; returns all keys and values up to them."""
        end = self.length + key_BNTH.shape[2]
        self.keys_LBNSH[layer, :, :, self.length : end] = key_BNTH
        self.values_LBNSH[layer, :, :, self.length : end] = value_BNTH
        return self.keys_LBNSH[layer, :, :, :end], self.values_LBNSH[layer, :, :, :end]


class Rotate(torch.autograd.Function):
    """Query, key and value of BTKNH (K = 3), the first two turned by their position.

    Channels [0, 2P) are turned, the rest stay as they were. Channel i is paired with i + P, as in
    the released weights. Returns three tensors BNTH. Written with its gradient because autograd's
    slices and concatenations cost 2.3 times the CPU time.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no public type
        qkv_BTKNH: Tensor,
        cos_BTP: Tensor,
        sin_BTP: Tensor,
    ) -> tuple[Tensor, ...]:
        """Source: section 2.1 (2P = 32 of H = 64)."""
        ctx.save_for_backward(cos_BTP, sin_BTP)
        return _turned(qkv_BTKNH, cos_BTP, sin_BTP)

    @staticmethod
    def backward(ctx: Any, *grads_BNTH: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        """The gradient turns back."""
        cos_BTP, sin_BTP = ctx.saved_tensors
        grad_KBNTH = torch.stack(grads_BNTH)
        _turn(grad_KBNTH[:2], cos_BTP, -sin_BTP)
        return grad_KBNTH.permute(1, 3, 0, 2, 4), None, None


def _turned(qkv_BTKNH: Tensor, cos_BTP: Tensor, sin_BTP: Tensor) -> tuple[Tensor, ...]:
    qkv_KBNTH = qkv_BTKNH.permute(2, 0, 3, 1, 4).contiguous()
    _turn(qkv_KBNTH[:2], cos_BTP, sin_BTP)
    return qkv_KBNTH.unbind(0)


def _turn(x_KBNTH: Tensor, cos_BTP: Tensor, sin_BTP: Tensor) -> None:
    cos, sin = cos_BTP[:, None], sin_BTP[:, None]
    half = cos.shape[-1]
    first, second = x_KBNTH[..., :half], x_KBNTH[..., half : 2 * half]
    turned = first * cos - second * sin
    second.copy_(second * cos + first * sin)
    first.copy_(turned)


class Block(nn.Module):
    """x + attention(norm(x)) + mlp(norm(x)).

    Query, key and value are one matrix, which the checkpoint layout stores as three.
    """

    def __init__(self, shape: Model, layer: int, attention: Attention) -> None:
        super().__init__()
        self.layer, self.heads = layer, shape.heads
        self.attention: Attention = attention
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.qkv = Linear(shape.width, 3 * shape.width)
        self.dense = Linear(shape.width, shape.width)
        self.fc1 = Linear(shape.width, shape.mlp_width)
        self.fc2 = Linear(shape.mlp_width, shape.width)

    def forward(
        self,
        x_BTD: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: KVCache | None,
    ) -> Tensor:
        """The residual stream after this block; `mask` as `Phi._mask` makes it."""
        h_BTD = self.norm(x_BTD)
        qkv_BTKNH = self.qkv(h_BTD).unflatten(-1, (3, self.heads, -1))
        rotated = Rotate.apply if torch.is_grad_enabled() else _turned
        q_BNTH, k_BNSH, v_BNSH = rotated(qkv_BTKNH, *turn)
        if cache is not None:
            k_BNSH, v_BNSH = cache.append(self.layer, k_BNSH, v_BNSH)
        mixed_BTNH = attend(q_BNTH, k_BNSH, v_BNSH, mask, self.attention)
        wide_BTD = self.fc1(h_BTD)
        mlp_BTD = self.fc2(wide_BTD if self.fc1.is_packed else gelu(wide_BTD))
        return x_BTD + self.dense(mixed_BTNH.flatten(2)) + mlp_BTD


def attend(
    q_BNTH: Tensor, k_BNSH: Tensor, v_BNSH: Tensor, mask: Tensor | None, attention: Attention
) -> Tensor:
    """Values mixed by softmax attention, as BTNH.

    `mask` is added to the scores; None is causal with the last query at the last key, and takes as
    many queries as keys, or one.
    """
    rows, heads, queries, channels = q_BNTH.shape
    keys = k_BNSH.shape[2]
    if attention == "explicit":
        assert mask is not None, "explicit attention needs its mask"
        is_causal = mask.dim() == 2 and queries == keys
        mask = mask.expand(rows, heads, queries, keys).flatten(0, 1) if mask.dim() == 4 else mask
        q, k, v = (x.reshape(rows * heads, -1, channels) for x in (q_BNTH, k_BNSH, v_BNSH))
        if is_causal and queries > QUERIES_AT_ONCE:
            mixed = causal(q, k, v, mask)
        else:
            mixed = _explicit(q, k, v, mask)
        return mixed.view(rows, heads, queries, channels).transpose(1, 2)
    if attention == "flash" and mask is None:
        from flash_attn import flash_attn_func  # pyright: ignore[reportMissingImports]

        swapped = (x.transpose(1, 2) for x in (q_BNTH, k_BNSH, v_BNSH))
        is_exact = torch.are_deterministic_algorithms_enabled()
        return flash_attn_func(*swapped, causal=True, deterministic=is_exact)
    return F.scaled_dot_product_attention(
        q_BNTH, k_BNSH, v_BNSH, attn_mask=mask, is_causal=mask is None and queries > 1
    ).transpose(1, 2)


def _explicit(q_XTH: Tensor, k_XSH: Tensor, v_XSH: Tensor, mask: Tensor) -> Tensor:
    """Attention of X rows and heads, XTH."""
    scale = 1 / math.sqrt(q_XTH.shape[-1])
    return torch.baddbmm(mask, q_XTH, k_XSH.transpose(1, 2), alpha=scale).softmax(-1).bmm(v_XSH)


def _recomputed(
    block: nn.Module, x_BTD: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor | None
) -> Tensor:
    """The block's output, of which only the input is kept for the backward pass.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost (2016), arXiv 1604.06174.
    """
    from torch.utils.checkpoint import checkpoint

    # no dropout: there is no random state to restore
    return checkpoint(block, x_BTD, turn, mask, None, use_reentrant=False, preserve_rng_state=False)


class Phi(nn.Module):
    """The decoder: token ids in, logits of the next token out.

    Weights are uninitialised until `initialise` or a checkpoint fills them.
    """

    def __init__(self, shape: Model, *, vocab_size: int, attention: Attention) -> None:
        super().__init__()
        self.shape, self.vocab_size = shape, vocab_size
        self.attention: Attention = attention
        self.embed = nn.Embedding(vocab_size, shape.width)
        self.blocks = nn.ModuleList(Block(shape, i, attention) for i in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.head = Linear(shape.width, vocab_size)
        self.recomputes = False  # in the backward pass, instead of keeping activations
        self._turns: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}
        self._causal: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def forward(
        self,
        ids_BT: Tensor,
        cache: KVCache | None = None,
        *,
        positions_BT: Tensor | None = None,
        mask_BTS: Tensor | None = None,
    ) -> Tensor:
        """Logits BTV: entry [b, t] predicts the token after ids[b, t].

        Args:
            ids_BT: Token ids; with a cache, those of the T new positions only.
            cache: Where keys and values are kept; `cache.length` positions are attended to as
                well, and T is added to it. Called under `torch.no_grad`.
            positions_BT: Rotary positions; needed where they are not cache.length + t, as for
                prompts padded on the left or several continuations packed behind one prefix.
            mask_BTS: True where position t may attend to slot s, S = cache.length + T; needed
                where that is not plain causal. A row must attend to one slot at least.
        """
        return self.head(self.hidden(ids_BT, cache, positions_BT=positions_BT, mask_BTS=mask_BTS))

    def hidden(
        self,
        ids_BT: Tensor,
        cache: KVCache | None = None,
        *,
        positions_BT: Tensor | None = None,
        mask_BTS: Tensor | None = None,
    ) -> Tensor:
        """What `head` turns into logits, BTD; arguments as for `forward`.

        For callers that need the logits of few positions: `model.head(x_BTD[:, -1])`.
        """
        tokens = ids_BT.shape[1]
        start = cache.length if cache is not None else 0
        limit = self.shape.context_tokens if cache is None else cache.slots
        assert start + tokens <= limit, f"{start} + {tokens} positions, {limit} fit"
        x_BTD = self.embed(ids_BT)
        turn = self._turn(x_BTD, start, tokens, positions_BT)
        mask = self._mask(x_BTD, start, tokens, mask_BTS)
        for block in self.blocks:
            if self.recomputes and torch.is_grad_enabled():
                x_BTD = _recomputed(block, x_BTD, turn, mask)
            else:
                x_BTD = block(x_BTD, turn, mask, cache)
        if cache is not None:
            cache.length = start + tokens
        return self.norm(x_BTD)

    def _turn(
        self, x: Tensor, start: int, tokens: int, positions_BT: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Cosine and sine (1 or B, T, P) of the rotary angles."""
        key = (x.device, x.dtype)
        if key not in self._turns:
            rotated = self.shape.rotary_channels
            exponent = torch.arange(0, rotated, 2, device=x.device, dtype=torch.float) / rotated
            position = torch.arange(self.shape.context_tokens, device=x.device, dtype=torch.float)
            angle = torch.outer(position, 1.0 / self.shape.rope_theta**exponent)
            self._turns[key] = (angle.cos().to(x.dtype), angle.sin().to(x.dtype))
        cos, sin = self._turns[key]
        if positions_BT is not None:
            return cos[positions_BT], sin[positions_BT]
        return cos[None, start : start + tokens], sin[None, start : start + tokens]

    def _mask(self, x: Tensor, start: int, tokens: int, mask_BTS: Tensor | None) -> Tensor | None:
        """What to add to the scores; None where the kernel is causal by itself."""
        if mask_BTS is not None:
            blocked = torch.zeros(mask_BTS.shape, device=x.device, dtype=x.dtype)
            return blocked.masked_fill_(~mask_BTS, -math.inf)[:, None]
        if self.attention == "flash" or (self.attention == "sdpa" and (start == 0 or tokens == 1)):
            return None
        key = (x.device, x.dtype)
        if key not in self._causal:
            size = (self.shape.context_tokens, self.shape.context_tokens)
            full = torch.full(size, -math.inf, device=x.device, dtype=x.dtype)
            self._causal[key] = full.triu_(1)
        return self._causal[key][start : start + tokens, : start + tokens]

    def compile_blocks(self, backend: str = "inductor") -> None:
        """Have torch fuse what is between the matrix products of a block; all blocks share it.

        The first passes compile, for seconds on a GPU; parameters keep their names.
        """
        for block in self.blocks:
            block.compile(fullgraph=True, dynamic=False, backend=backend)

    def pack(self) -> None:
        """Make forward passes in fp32 on a CPU cheaper, for good: there is no gradient any more.

        The matrices are in memory twice then. Other devices and dtypes stay as they are.
        """
        if not can_pack(self.head.weight):
            return
        for block in self.blocks:
            assert isinstance(block, Block)
            for linear in (block.qkv, block.dense, block.fc2):
                linear.pack()
            block.fc1.pack(has_gelu=True)
        self.head.pack()

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Normal matrices and embeddings, zero biases; each tensor from its own stream of `seed`.

        Drawn in fp32 on the CPU, so that device and dtype change nothing but the rounding.
        """
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                generator = torch.Generator().manual_seed(integer(seed, "model", name))
                drawn = torch.empty(parameter.shape, dtype=torch.float)
                parameter.copy_(drawn.normal_(std=self.shape.init_std, generator=generator))
            else:
                parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)

    def num_parameters(self) -> int:
        """Numbers in all weights and biases."""
        return sum(parameter.numel() for parameter in self.parameters())
