"""Stage `train@VARIANT`: random weights, a mixture, and a model in the released layout."""

import math
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_json, write_json, write_text
from hornbook.model.checkpoint import save_model
from hornbook.model.config import Model
from hornbook.plan.here import announce
from hornbook.train.batching import num_steps
from hornbook.train.config import Train
from hornbook.train.curve import Curve
from hornbook.train.data import open_data
from hornbook.train.engine import open_engine, require_device
from hornbook.train.hardware import matmul_peak, return_freed_memory
from hornbook.train.loop import Loop
from hornbook.train.ranks import Ranks, joined
from hornbook.train.shortage import memory_errors, require_memory

if TYPE_CHECKING:
    from hornbook.stage import Run

TOKENIZER = "artifacts/tokens/tokenizer"


def train(run: "Run") -> None:
    """Train one variant from its seed, or go on from where the last attempt was stopped."""
    train_variant(run, str(run.instance), run.section("train", Train))


def train_variant(run: "Run", variant: str, settings: Train) -> None:
    """Train `variant` from `settings.seed` into the output of `run`."""
    shape = run.section("model", Model)
    require_device(settings)
    with joined(settings) as ranks:
        loop = _trained(run, variant, shape, settings, ranks)
        _account(run, ranks)
        if ranks.is_first:
            _publish(run, settings, loop)


def _trained(run: "Run", variant: str, shape: Model, settings: Train, ranks: Ranks) -> Loop:
    """The loop after its last step."""
    mixture = run.input(f"artifacts/mixture/{variant}")
    manifest = read_json(mixture / "mixture.json")
    steps = num_steps(manifest["budget_tokens"], settings.batch_sequences, shape.context_tokens)
    vocab_size, eos = manifest["vocab_size"], read_json(run.input(TOKENIZER) / "meta.json")["eos"]
    require_memory(shape, settings, vocab_size=vocab_size)
    ranks.wait()
    with memory_errors(settings):
        # one measures for all; they are of one kind
        peak = matmul_peak(settings, run.machine()) if ranks.is_first else math.inf
    if ranks.is_first:
        announce(
            run,
            shape,
            settings,
            vocab_size=vocab_size,
            budget_tokens=manifest["budget_tokens"],
            peak=peak,
        )
    data = open_data(run, mixture, settings, context_tokens=shape.context_tokens)
    with memory_errors(settings):
        engine = open_engine(shape, settings, vocab_size=vocab_size, ranks=ranks)
        loop = Loop(run, settings, data, engine, ranks, steps=steps, eos=eos, peak=peak)
        loop.resume()
        loop.go()
    return loop


def _publish(run: "Run", settings: Train, loop: Loop) -> None:
    model, eos = loop.engine.weights(), loop.kept.eos
    save_model(model, run.out, eos_token_id=eos)
    loop.kept.publish(run.out)
    for folder in [run.out, *_kept(run.out)]:
        _copy_tokenizer(run.input(TOKENIZER), folder)
    facts = loop.metrics() | {"parameters": model.num_parameters()}
    write_text(run.out / "curve.csv", loop.curve.csv())
    write_json(run.out / "metrics.json", facts)
    return_freed_memory()
    _expect_curve(run, settings, loop.curve)
    run.summary(**facts)


def _account(run: "Run", ranks: Ranks) -> None:
    """What the other ranks used, for the record of the stage."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = ranks.numbers([usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024])
    for cpu_seconds, peak_rss_mib in told[1:]:
        run.account(cpu_seconds, int(peak_rss_mib))


def _kept(out: Path) -> list[Path]:
    return sorted(file.parent for file in out.glob("**/config.json") if file.parent != out)


def _copy_tokenizer(tokenizer: Path, model: Path) -> None:
    for file in sorted(tokenizer.iterdir()):
        if file.name not in {"summary.json", "expectations.json"}:
            shutil.copyfile(file, model / file.name)


def _expect_curve(run: "Run", settings: Train, curve: Curve) -> None:
    import pandas as pd

    run.expect("curve", pd.DataFrame(curve.rows), settings.expectations, "step")
