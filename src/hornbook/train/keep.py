"""Models of steps before the last that become part of the artifact: every so many, and the best."""

import copy
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from hornbook.errors import ArtifactError
from hornbook.model.checkpoint import save_model
from hornbook.model.phi import Phi
from hornbook.model.weights import weight_files
from hornbook.train.config import Keep
from hornbook.train.snapshot import checksum, found, put, sync, unreadable

_SUM = "sha256"


class KeptModels:
    """Which steps' models are kept, and where they wait until the run is done.

    `folder` has a model folder for each such step. It is written before any checkpoint that counts
    on it, and goes when no checkpoint does any more.
    """

    def __init__(self, folder: Path, settings: Keep, *, steps: int, eos: int | None) -> None:
        self.folder, self.settings = folder, settings
        self.steps, self.eos = steps, eos
        self.best_step: int | None = None
        self.best_loss: float | None = None

    def wants(self, step: int, heldout_loss: float | None) -> bool:
        """Whether the model after `step` is to be kept; the lowest loss so far makes it the best.

        `heldout_loss` is None where it was not measured.
        """
        best = math.inf if self.best_loss is None else self.best_loss
        if self.settings.best and heldout_loss is not None and heldout_loss < best:
            self.best_step, self.best_loss = step, heldout_loss
            return True
        return self._is_due(step)

    def save(self, model: Phi, step: int) -> None:
        """Write the model of a step."""
        part = self.folder / "writing"
        shutil.rmtree(part, ignore_errors=True)
        save_model(model, part, eos_token_id=self.eos)
        (part / _SUM).write_text(_checksums(part), encoding="utf-8")
        sync(part / _SUM)
        put(part, self._of(step))

    def drop(self, counted_on: Iterable[Mapping[str, Any]], after: int) -> None:
        """Remove former bests up to step `after` that none of the states `counted_on` names."""
        named = {state["best_step"] for state in counted_on}
        for path in found(self.folder):
            step = int(path.name.removeprefix("step-"))
            if step <= after and step not in named and not self._is_due(step):
                shutil.rmtree(path)

    def fault(self, state: Mapping[str, Any], step: int) -> str | None:
        """Why a checkpoint of `step` with this state cannot be used; None where all is there.

        Raises:
            StageError: A model is there and cannot be read.
        """
        needed = {one for one in range(1, step + 1) if self._is_due(one)}
        if state["best_step"] is not None:
            needed.add(state["best_step"])
        for one in sorted(needed):
            path = self._of(one)
            try:
                is_whole = (path / _SUM).read_text("utf-8") == _checksums(path)
            except (FileNotFoundError, NotADirectoryError, ArtifactError) as error:
                return f"the model kept at step {one:,} is not whole: {error}"
            except OSError as error:
                raise unreadable(path, error) from error
            if not is_whole:
                return f"the model kept at step {one:,} is damaged"
        return None

    def publish(self, out: Path) -> None:
        """Put what is kept below the artifact: `best`, `checkpoints/step-000001000`."""
        for path in found(self.folder):
            step = int(path.name.removeprefix("step-"))
            if step == self.best_step:
                _copy(path, out / "best")
            if self._is_due(step):
                _copy(path, out / "checkpoints" / path.name)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"best_step": self.best_step, "best_loss": self.best_loss}

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.best_step, self.best_loss = state["best_step"], state["best_loss"]

    def _is_due(self, step: int) -> bool:
        every = self.settings.every_steps
        return every is not None and step % every == 0 and step < self.steps

    def _of(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}"


def host_copy(model: Phi) -> Phi:
    """The model on the host, which further steps leave alone."""
    # not on the device meta, which imports torch's compiler: 84 MiB
    there = {
        id(one): nn.Parameter(one.detach().to("cpu", copy=True), requires_grad=False)
        for one in model.parameters()
    }
    return copy.deepcopy(model, there)


def _checksums(model: Path) -> str:
    return "\n".join(checksum(file) for file in weight_files(model))


def _copy(model: Path, target: Path) -> None:
    shutil.copytree(model, target, ignore=shutil.ignore_patterns(_SUM), dirs_exist_ok=True)
