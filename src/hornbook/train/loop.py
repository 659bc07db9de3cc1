"""The steps between initial and final weights, with what is kept about them."""

import math
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.errors import ArtifactError, ConfigError, HornbookError
from hornbook.plan.arithmetic import checkpoint_bytes, seconds_between
from hornbook.train.background import Background
from hornbook.train.batches import Batch, Batches
from hornbook.train.config import Train
from hornbook.train.curve import Curve, Row
from hornbook.train.data import Data
from hornbook.train.engine import Engine, Stepped, accept_all
from hornbook.train.guard import SpikeGuard
from hornbook.train.hardware import measured, utilisation
from hornbook.train.keep import KeptModels, host_copy
from hornbook.train.ranks import Ranks
from hornbook.train.schedule import learning_rate
from hornbook.train.snapshot import (
    Snapshot,
    clear_unfinished,
    load_snapshot,
    on_host,
    read_snapshot,
    save_snapshot,
    saved_facts,
    step_folder,
)
from hornbook.train.stopping import stopping

if TYPE_CHECKING:
    from hornbook.progress import Progress
    from hornbook.stage import Run


class Loop:
    """One run, from its newest checkpoint or its first step to its last.

    On several ranks all do the same; the first one writes what all know. `peak` is what the
    device can do, in FLOP/s; `eos` the end of text, for the models kept.
    """

    def __init__(
        self,
        run: "Run",
        settings: Train,
        data: Data,
        engine: Engine,
        ranks: Ranks,
        *,
        steps: int,
        eos: int,
        peak: float,
    ) -> None:
        self.run, self.settings, self.data = run, settings, data
        self.engine, self.ranks, self.steps, self.peak = engine, ranks, steps, peak
        self.step_tokens = settings.batch_sequences * data.context_tokens
        self.curve = Curve(
            run.pending / "curve.jsonl" if ranks.is_first else None,
            data.sampler.sources,
            data.domain_names,
            has_z=settings.z_loss > 0,
        )
        self.guard = SpikeGuard(settings.guard) if settings.guard else None
        self.kept = KeptModels(run.pending / "kept", settings.keep, steps=steps, eos=eos)
        self.step, self.digest, self.skipped = 0, data.sampler.genesis, 0
        self.checkpoints: Path = run.pending / "checkpoints"
        self.checkpoint_seconds = _between(run, engine)
        self._first, self._saved, self._started = 0, 0, time.monotonic()

    def resume(self) -> None:
        """Stand where the newest whole checkpoint stands, if there is one.

        Raises:
            ArtifactError: The checkpoint has seen other sequences than this run would have.
            StageError: A checkpoint cannot be read.
        """
        found = self._newest()
        if found is None:
            self.curve.rewrite_journal()
            return
        self.digest = self.data.sampler.replay(found.step, self.settings.batch_sequences)
        if self.digest != found.digest:
            raise ArtifactError(
                f"the checkpoint of step {found.step:,} in {self.checkpoints} was trained in "
                f"another order (digest {found.digest[:12]}, expected {self.digest[:12]}); "
                f"remove the folder to start again"
            )
        self.engine.load(found.tensors)
        self.curve.load(found.facts["curve"])
        self.kept.load(found.facts["kept"])
        if self.guard:
            self.guard.load(found.facts["guard"])
        self.step, self.skipped = found.step, found.facts["skipped"]
        self._saved = self.step
        self.run.log(f"resuming after step {self.step:,} of {self.steps:,}")

    def _newest(self) -> Snapshot | None:
        """What the first rank finds; all start from the same."""
        found = None
        if self.ranks.is_first:
            clear_unfinished(self.checkpoints)
            found = load_snapshot(self.checkpoints, self.run.log, self._fault)
        step = int(self.ranks.numbers([found.step if found else -1])[0][0])
        if self.ranks.is_first or step < 0:
            return found
        return read_snapshot(step_folder(self.checkpoints, step))

    def go(self) -> None:
        """Run all steps that are left.

        Raises:
            HornbookError: SIGTERM came; a checkpoint was written.
            KeyboardInterrupt: Likewise, of Ctrl-C.
            ConfigError: The run diverged.
            OSError: A checkpoint could not be written.
        """
        if self.step == self.steps:
            return
        self._first, self._started = self.step, time.monotonic()
        saved, cpu = self._started, time.process_time()
        with (
            stopping() as asked,
            Background() as background,
            self._batches() as batches,
            self.run.progress(self.steps - self._first, "steps", "training") as bar,
        ):
            while self.step < self.steps:
                row = self._advance(batches.take(), bar)
                is_wanted = row is not None and self.kept.wants(self.step, row["eval_loss"])
                if is_wanted and self.ranks.is_first:
                    model = host_copy(self.engine.weights())
                    background.give(partial(self.kept.save, model, self.step))
                is_due = time.monotonic() - saved >= self.checkpoint_seconds
                is_asked, is_due = self.ranks.any(
                    asked() is not None, is_due and self.ranks.is_first
                )
                if is_asked:
                    self._save(background)
                    background.wait()
                    self.ranks.wait()  # who ends first would end those that still write
                    self._stop(asked() or signal.SIGTERM)
                if is_due:
                    self._save(background)
                    saved = time.monotonic()
            # what may still fail, such as the gate of the curve, needs no training again
            self._save(background)
        self._measure(time.monotonic() - self._started, time.process_time() - cpu)

    def metrics(self) -> dict[str, Any]:
        """Facts of the finished run."""
        last, curve = self.curve.rows[-1], self.curve
        return {
            "loss": last["loss"],
            "eval_loss": last["eval_loss"],
            "eval_loss_by_source": {name: last[f"eval_loss_{name}"] for name in curve.sources},
            "eval_loss_by_domain": {name: last[f"eval_loss_{name}"] for name in curve.domains},
            "best_eval_loss": self.kept.best_loss,
            "best_step": self.kept.best_step,
            "skipped_steps": self.skipped,
            "tokens": last["tokens"],
            "steps": self.steps,
            "digest": self.digest,
        }

    def _batches(self) -> Batches:
        workers = self.run.runtime.data_workers
        if workers is None:
            workers = int(self.engine.device.type == "cuda")
        return Batches(
            self.data.open_sampler,
            sequences=self.settings.batch_sequences,
            first=self.step,
            steps=self.steps,
            workers=workers,
            device=self.engine.device,
        )

    def _advance(self, batch: Batch, bar: "Progress") -> Row | None:
        """One step; the row of the curve that it ends, if it does."""
        lr = learning_rate(
            self.settings.schedule, peak=self.settings.optim.lr, step=self.step, steps=self.steps
        )
        judge = self.guard.accepts if self.guard else accept_all
        stepped = self.engine.step(batch.ids_BT, lr, judge)
        self._require_finite(stepped, lr)
        self._note(batch, stepped)
        self.digest = self.data.digest(self.digest, self.step)
        self.step += 1
        row = self._row(lr)
        if row:
            rate = (self.step - self._first) * self.step_tokens / (time.monotonic() - self._started)
            share = utilisation(self.engine.weights(), self.settings, rate, self.peak)
            bar.note(f"loss {row['loss']:.3f}  {rate:,.0f} tokens/s  {share:.0%} of matmul peak")
        bar.advance()
        return row

    def _require_finite(self, stepped: Stepped, lr: float) -> None:
        """A guard has judged what is not finite, but for losses in which fp16 overflowed."""
        values = [*stepped.losses, stepped.grad_norm or 0.0]
        if stepped.skipped == "spike" or all(map(math.isfinite, values)):
            return
        if stepped.skipped == "overflow" and self.guard is not None:
            self.guard.accepts(math.nan, None)
            return
        known = self.curve.rows[-1]["loss"] if self.curve.rows else None
        raise ConfigError(
            f"loss or gradient is {next(x for x in values if not math.isfinite(x))} at step "
            f"{self.step + 1:,} (last row of the curve: {known}; learning rate {lr:g}); lower "
            f"train.optim.lr={self.settings.optim.lr:g}, raise train.schedule.warmup_share, set "
            f"train.dtype=float32, or let train.guard skip such steps"
        )

    def _note(self, batch: Batch, stepped: Stepped) -> None:
        """Add a step to the curve; what is not finite is counted and not added."""
        if stepped.skipped:
            self.skipped += 1
            why = "the gradient overflowed fp16"
            if self.guard and stepped.skipped == "spike":
                why = self.guard.reason
            self.run.log(f"step {self.step + 1:,} skipped: {why}; {self.skipped} so far")
        finite = [row for row, loss in enumerate(stepped.losses) if math.isfinite(loss)]
        sources = [batch.sources[row] for row in finite]
        windows = [batch.windows[row] for row in finite]
        self.curve.add(
            [stepped.losses[row] for row in finite],
            sources,
            self.data.domain_numbers(sources, windows),
            grad_norm=_finite(stepped.grad_norm),
            z=_finite(stepped.z),
            is_skipped=stepped.skipped is not None,
        )

    def _row(self, lr: float) -> Row | None:
        due, is_last = self.settings.curve, self.step == self.steps
        is_evaluation = is_last or self.step % due.evaluate_every_steps == 0
        if not is_evaluation and self.step % due.every_steps:
            return None
        if self.curve.is_empty:  # each step since the last row was refused as not finite
            if is_last:
                raise ConfigError(
                    f"no step since {self.curve.rows[-1]['step'] if self.curve.rows else 0} had a "
                    f"finite loss; lower train.optim.lr={self.settings.optim.lr:g}"
                )
            return None
        return self.curve.close_row(
            step=self.step,
            tokens=self.step * self.step_tokens,
            lr=lr,
            heldout=self.data.heldout.losses(self.engine) if is_evaluation else None,
        )

    def _save(self, background: Background) -> None:
        """Have a checkpoint of now written, unless there is one."""
        if self._saved == self.step:
            return
        self._saved = self.step
        facts = {
            "curve": self.curve.state(),
            "guard": self.guard.state() if self.guard else None,
            "kept": self.kept.state(),
            "skipped": self.skipped,
        }
        background.wait()  # so that there is one copy of the state at a time
        now = on_host(Snapshot(self.step, self.digest, facts, self.engine.state()))
        background.give(partial(self._write, now, background))

    def _write(self, snapshot: Snapshot, background: Background) -> None:
        save_snapshot(
            self.checkpoints,
            snapshot,
            kept=self.run.runtime.checkpoints_kept,
            rank=self.ranks.rank,
            ranks=self.ranks.size,
            is_given_up=lambda: background.is_given_up,
        )
        if not self.ranks.is_first:
            return
        counted_on = [facts["kept"] for facts in saved_facts(self.checkpoints)]
        self.kept.drop(counted_on, after=snapshot.step)

    def _fault(self, snapshot: Snapshot) -> str | None:
        return self.kept.fault(snapshot.facts["kept"], snapshot.step)

    def _stop(self, number: signal.Signals) -> None:
        told = (
            f"{self.run.name} was stopped by {number.name} after step {self.step:,} of "
            f"{self.steps:,}; the same command goes on from there"
        )
        if number == signal.SIGINT:
            self.run.log(told)
            raise KeyboardInterrupt
        raise HornbookError(told)

    def _measure(self, seconds: float, cpu_seconds: float) -> None:
        tokens = (self.steps - self._first) * self.step_tokens
        cpu_seconds = sum(one for (one,) in self.ranks.numbers([cpu_seconds]))
        if not self.ranks.is_first:
            return
        self.run.measure(
            **measured(
                self.engine.weights(),
                self.settings,
                peak=self.peak,
                tokens=tokens,
                seconds=seconds,
                cpu_seconds=cpu_seconds,
            )
        )


def _between(run: "Run", engine: Engine) -> float:
    given, model = run.runtime.checkpoint_seconds, engine.weights()
    if given is not None:
        return given
    return seconds_between(checkpoint_bytes(model.shape, model.vocab_size))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
