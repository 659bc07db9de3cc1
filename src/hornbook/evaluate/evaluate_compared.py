"""Stage `evaluate_compared@NAME`: all suites on a checkpoint that was not trained here."""

from typing import TYPE_CHECKING

from hornbook.artifacts import write_json
from hornbook.config import ComparedModel
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.memory import Memory
from hornbook.evaluate.suites import run_suites
from hornbook.stage import Run

if TYPE_CHECKING:
    from hornbook.evaluate.lm import LM
    from hornbook.model.compared import Compared
    from hornbook.progress import Progress


def evaluate_compared(run: Run) -> None:
    """A folder for each suite with what `evaluate@VARIANT-SUITE` writes, and `model.json`."""
    import torch

    from hornbook.model.compared import load_compared

    name = str(run.instance)
    settings = run.section("evaluate", Evaluate)
    where = run.section(f"compared.models.{name}", ComparedModel)
    torch.set_num_threads(settings.threads)
    model = load_compared(
        run.input(where.folder),
        settings.device,
        getattr(torch, settings.dtype),
        attention=settings.attention,
    )
    write_json(run.out / "model.json", {"name": name, "hub": where.hub, **model.facts})
    digest = run.hash_of(where.folder)
    run_suites(
        run, name, settings, lambda progress: _lm(run, model, digest, settings, progress),
        **model.facts,
    )  # fmt: skip


def _lm(run: Run, model: "Compared", digest: str, settings: Evaluate, progress: "Progress") -> "LM":
    """The checkpoint as what answers requests; it remembers what it answered before."""
    from hornbook.evaluate import lm, transformers_lm
    from hornbook.model.phi import Phi
    from hornbook.tokens.transformers_tokenizer import TransformersTokenizer

    is_ours = isinstance(model.network, Phi)
    how = {"dtype": settings.dtype, "attention": settings.attention, "device": settings.device,
           "arithmetic": lm.arithmetic() if is_ours else transformers_lm.arithmetic()}  # fmt: skip
    memory = Memory(run.store("scores"), digest, how)
    rows, new_tokens, advance = settings.batch_rows, settings.new_tokens, progress.advance
    if is_ours:
        return lm.HornbookLM(
            model.network, model.encoder, memory=memory, rows=rows, new_tokens=new_tokens,
            advance=advance,
        )  # fmt: skip
    assert isinstance(model.encoder, TransformersTokenizer), "our tokenizer is of our models alone"
    return transformers_lm.TransformersLM(
        model.network, model.encoder, context=model.context_tokens, memory=memory, rows=rows,
        new_tokens=new_tokens, advance=advance,
    )  # fmt: skip
