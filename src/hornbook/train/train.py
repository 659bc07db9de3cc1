"""Stage `train@VARIANT`: random weights, a mixture, and a model in the released layout."""

import math
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hornbook.artifacts import read_json, write_json, write_text
from hornbook.errors import ArtifactError, ConfigError, HornbookError
from hornbook.mixture.sampler import Sampler
from hornbook.model.checkpoint import save_model
from hornbook.model.config import Model
from hornbook.train.batching import accumulation_steps, num_steps
from hornbook.train.config import Train
from hornbook.train.curve import Curve
from hornbook.train.engine import Engine, open_engine
from hornbook.train.hardware import peak_memory_mib, step_flops_per_token, utilisation
from hornbook.train.heldout import Heldout
from hornbook.train.schedule import learning_rate
from hornbook.train.snapshot import Snapshot, load_snapshot, save_snapshot
from hornbook.train.stopping import termination

if TYPE_CHECKING:
    from hornbook.progress import Progress
    from hornbook.stage import Run

TOKENIZER = "artifacts/tokens/tokenizer"


def train(run: "Run") -> None:
    """Train one variant from its seed, or go on from where the last attempt was stopped."""
    shape, settings = run.section("model", Model), run.section("train", Train)
    accumulation_steps(settings.batch_sequences, settings.micro_sequences, settings.ranks)
    mixture = run.input(f"artifacts/mixture/{run.instance}")
    manifest = read_json(mixture / "mixture.json")
    corpora = sorted(source["corpus"] for source in manifest["sources"])
    folders = {corpus: run.input(f"artifacts/tokens/{corpus}") for corpus in corpora}
    steps = num_steps(manifest["budget_tokens"], settings.batch_sequences, shape.context_tokens)

    context = shape.context_tokens
    sampler = Sampler(mixture, folders, context_tokens=context, seed=settings.seed)
    heldout = Heldout(
        mixture, folders, context_tokens=context, sequences=settings.curve.evaluate_sequences
    )
    engine = open_engine(shape, settings, vocab_size=manifest["vocab_size"])
    parameters = engine.weights().num_parameters()
    run.log(
        f"{parameters:,} parameters, {steps:,} steps of {settings.batch_sequences} x {context} "
        f"tokens in {settings.dtype} on {settings.device} with {settings.attention} attention"
    )
    loop = Loop(run, settings, sampler, heldout, engine, steps=steps, context_tokens=context)
    loop.resume()
    loop.go()

    tokenizer = run.input(TOKENIZER)
    eos = read_json(tokenizer / "meta.json")["eos"]
    save_model(engine.weights(), run.out, eos_token_id=eos)
    for file in sorted(tokenizer.iterdir()):
        if file.name not in {"summary.json", "expectations.json"}:
            shutil.copyfile(file, run.out / file.name)
    write_text(run.out / "curve.csv", loop.curve.csv())
    write_json(run.out / "metrics.json", loop.metrics() | {"parameters": parameters})
    _expect_curve(run, settings, loop.curve)
    run.summary(**loop.metrics(), parameters=parameters)


class Loop:
    """The steps between initial and final weights, with what is kept about them."""

    def __init__(
        self,
        run: "Run",
        settings: Train,
        sampler: Sampler,
        heldout: Heldout,
        engine: Engine,
        *,
        steps: int,
        context_tokens: int,
    ) -> None:
        self.run, self.settings, self.sampler = run, settings, sampler
        self.heldout, self.engine, self.steps = heldout, engine, steps
        self.step_tokens = settings.batch_sequences * context_tokens
        self.curve = Curve(run.pending / "curve.jsonl", sampler.sources)
        self.step, self.digest = 0, sampler.genesis
        self.checkpoints: Path = run.pending / "checkpoints"
        self._first, self._started = 0, time.monotonic()

    def resume(self) -> None:
        """Stand where the newest whole checkpoint stands, if there is one.

        Raises:
            ArtifactError: The checkpoint has seen other sequences than this run would have.
        """
        found = load_snapshot(self.checkpoints, self.run.log)
        if found is None:
            self.curve.rewrite_journal()
            return
        for step in range(found.step):
            self.digest = self.sampler.digest(self.digest, step, self.settings.batch_sequences)
        if self.digest != found.digest:
            raise ArtifactError(
                f"the checkpoint of step {found.step:,} in {self.checkpoints} was trained in "
                f"another order (digest {found.digest[:12]}, expected {self.digest[:12]}); "
                f"remove the folder to start again"
            )
        self.engine.load(found.tensors)
        self.curve.load(found.curve)
        self.step = found.step
        self.run.log(f"resuming after step {self.step:,} of {self.steps:,}")

    def go(self) -> None:
        """Run all steps that are left.

        Raises:
            HornbookError: SIGTERM came; a checkpoint was written.
            ConfigError: Loss or gradient is no number any more.
        """
        self._first, self._started = self.step, time.monotonic()
        saved, cpu = self._started, time.process_time()
        with (
            termination() as is_asked_to_stop,
            self.run.progress(self.steps - self._first, "steps", "training") as bar,
        ):
            while self.step < self.steps:
                self._advance(bar)
                if is_asked_to_stop():
                    self.save()
                    raise HornbookError(
                        f"{self.run.name} was stopped by SIGTERM after step {self.step:,} of "
                        f"{self.steps:,}; the same command goes on from there"
                    )
                now = time.monotonic()
                if now - saved >= self.run.runtime.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        tokens = (self.steps - self._first) * self.step_tokens
        if not tokens:
            return
        self.save()  # what may still fail, such as the gate of the curve, needs no training again
        self._measure(tokens, time.monotonic() - self._started, time.process_time() - cpu)

    def save(self) -> None:
        """A checkpoint of now."""
        save_snapshot(
            self.checkpoints,
            Snapshot(self.step, self.digest, self.curve.state(), self.engine.state()),
        )

    def metrics(self) -> dict[str, Any]:
        """Facts of the finished run."""
        last = self.curve.rows[-1]
        return {
            "loss": last["loss"],
            "eval_loss": last["eval_loss"],
            "eval_loss_by_source": {
                name: last[f"eval_loss_{name}"] for name in self.sampler.sources
            },
            "tokens": last["tokens"],
            "steps": self.steps,
            "digest": self.digest,
        }

    def _advance(self, bar: "Progress") -> None:
        batch = self.settings.batch_sequences
        lr = learning_rate(
            self.settings.schedule, peak=self.settings.optim.lr, step=self.step, steps=self.steps
        )
        losses, norm = self.engine.step(self.sampler.batch(self.step, batch), lr)
        self._require_finite([*losses, norm or 0.0], lr)
        self.curve.add(losses, self.sampler.rows(self.step, batch).tolist(), norm)
        self.digest = self.sampler.digest(self.digest, self.step, batch)
        self.step += 1
        due = self.settings.curve
        is_last = self.step == self.steps
        is_evaluation = is_last or self.step % due.evaluate_every_steps == 0
        if is_evaluation or self.step % due.every_steps == 0:
            row = self.curve.close_row(
                step=self.step,
                tokens=self.step * self.step_tokens,
                lr=lr,
                heldout=self.heldout.losses(self.engine) if is_evaluation else None,
            )
            rate = (self.step - self._first) * self.step_tokens / (time.monotonic() - self._started)
            bar.note(f"loss {row['loss']:.3f}  {rate:,.0f} tokens/s")
        bar.advance()

    def _require_finite(self, values: list[float], lr: float) -> None:
        if all(math.isfinite(value) for value in values):
            return
        known = self.curve.rows[-1]["loss"] if self.curve.rows else None
        raise ConfigError(
            f"loss or gradient is {next(x for x in values if not math.isfinite(x))} at step "
            f"{self.step + 1:,} (last row of the curve: {known}; learning rate {lr:g}); lower "
            f"train.optim.lr={self.settings.optim.lr:g}, raise train.schedule.warmup_share or set "
            f"train.dtype=float32"
        )

    def _measure(self, tokens: int, seconds: float, cpu_seconds: float) -> None:
        model, device = self.engine.weights(), torch.device(self.settings.device)
        rate = tokens / max(seconds, 1e-9)
        flops = rate * step_flops_per_token(model.shape, model.vocab_size)
        self.run.measure(
            tokens_per_second=round(rate, 1),
            tokens_per_cpu_second=round(tokens / max(cpu_seconds, 1e-9), 1),
            mfu=utilisation(device, flops),
            memory_mib=round(peak_memory_mib(device), 1),
        )


def _expect_curve(run: "Run", settings: Train, curve: Curve) -> None:
    import pandas as pd

    run.expect("curve", pd.DataFrame(curve.rows), settings.expectations, "step")
