"""A checkpoint as stages ask it: on their device, in their dtype, laid out for answers alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hornbook.model.phi import Attention, Phi


class Computing(Protocol):
    """The settings of a stage that say how a checkpoint computes."""

    @property
    def device(self) -> str: ...  # noqa: D102 - as conf names them
    @property
    def dtype(self) -> str: ...  # noqa: D102
    @property
    def attention(self) -> "Attention": ...  # noqa: D102
    @property
    def threads(self) -> int: ...  # noqa: D102


def load_answering(checkpoint: Path, settings: Computing) -> "Phi":
    """The model of a checkpoint, without gradients from now on; torch has the settings' threads.

    Raises:
        ArtifactError: The checkpoint is not whole.
    """
    import torch

    from hornbook.model.checkpoint import load_model

    torch.set_num_threads(settings.threads)
    dtype = getattr(torch, settings.dtype)
    model = load_model(checkpoint, settings.device, dtype, attention=settings.attention).eval()
    model.pack()
    return model
