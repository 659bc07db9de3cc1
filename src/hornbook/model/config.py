"""The shape of the model."""

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT


@dataclass(frozen=True, config=STRICT)
class Model:
    """Shape and initialisation; the size of the vocabulary comes from the tokenizer's artifact."""

    layers: int  # blocks
    width: int  # channels of the residual stream
    heads: int  # attention heads; width must divide evenly
    rotary_channels: int  # leading channels of each head that are rotated; even
    mlp_width: int  # channels inside the MLP
    context_tokens: int  # positions a sequence can have
    norm_eps: float  # added to the variance in every LayerNorm
    rope_theta: float  # base of the rotary frequencies
    init_std: float  # standard deviation of initial matrices and embeddings

    @model_validator(mode="after")
    def _fits(self) -> "Model":
        if self.width % self.heads:
            raise ValueError(
                f"model.heads={self.heads} does not divide model.width={self.width}; "
                f"choose heads so that width / heads is whole"
            )
        if self.rotary_channels % 2 or not 0 < self.rotary_channels <= self.head_channels:
            raise ValueError(
                f"model.rotary_channels={self.rotary_channels} must be even and at most "
                f"width / heads = {self.head_channels}"
            )
        return self

    @property
    def head_channels(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads
