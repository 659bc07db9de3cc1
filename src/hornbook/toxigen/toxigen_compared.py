"""Stage `toxigen_compared@NAME`: the safety score of a checkpoint that was not trained here."""

from hornbook.config import ComparedModel
from hornbook.stage import Run
from hornbook.toxigen.config import Toxigen
from hornbook.toxigen.toxigen import Asked, score_model


def toxigen_compared(run: Run) -> None:
    """Score every sentence, then every group, as of a variant.

    What the checkpoint's tokenizer puts before a text is not scored, the first word after it is.
    """
    name = str(run.instance)
    where = run.section(f"compared.models.{name}", ComparedModel)
    folder = run.input(where.folder)

    def load(settings: Toxigen) -> Asked:
        import torch

        from hornbook.model.compared import load_compared

        torch.set_num_threads(settings.threads)
        dtype = getattr(torch, settings.dtype)
        model = load_compared(folder, settings.device, dtype, attention=settings.attention)
        return Asked(model.encoder.encode, model.logits, model.context_tokens)

    score_model(run, name, load)
