"""A checkpoint as what answers requests, for every stage that asks one."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hornbook.errors import ArtifactError
from hornbook.model.loading import Computing, load_answering
from hornbook.stage import Run

if TYPE_CHECKING:
    from hornbook.evaluate.lm import HornbookLM
    from hornbook.progress import Progress


class Asking(Computing, Protocol):
    """The settings of a stage that say how a checkpoint computes its answers."""

    @property
    def batch_rows(self) -> int: ...  # noqa: D102 - as conf names them
    @property
    def new_tokens(self) -> int: ...  # noqa: D102


def load_lm(run: Run, checkpoint: Path, settings: Asking, progress: "Progress") -> "HornbookLM":
    """The checkpoint as what answers requests; it remembers what it answered before.

    An answer is remembered for these weights, in one file or several, this tokenizer, these
    settings, and the code and library that computed it: with any other, it is computed again.

    Raises:
        ArtifactError: The checkpoint is not whole, or its tokenizer is another model's.
    """
    from hornbook.evaluate.lm import HornbookLM, arithmetic
    from hornbook.evaluate.memory import Memory
    from hornbook.tokens.encoder import Encoder

    model = load_answering(checkpoint, settings)
    encoder = Encoder.load(checkpoint)
    if encoder.tokens > model.vocab_size:
        raise ArtifactError(
            f"{checkpoint}: the tokenizer has ids up to {encoder.tokens - 1:,}, the model's "
            f"embedding {model.vocab_size:,} rows; they are not of one training: train it again"
        )
    # how many threads share a sum decides its last digits
    how = {"dtype": settings.dtype, "attention": settings.attention, "device": settings.device,
           "threads": settings.threads, "tokenizer": encoder.sha256,
           "arithmetic": arithmetic()}  # fmt: skip
    return HornbookLM(
        model,
        encoder,
        memory=Memory(run.store("scores"), _digest(checkpoint), how),
        rows=settings.batch_rows,
        new_tokens=settings.new_tokens,
        advance=progress.advance,
    )


def _digest(checkpoint: Path) -> str:
    """The hash of a checkpoint's weights, in one file or several."""
    digest = hashlib.sha256()
    for file in sorted(checkpoint.glob("*.safetensors")):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
