"""Steps that are too far off to be taken."""

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

from hornbook.errors import ConfigError
from hornbook.train.config import Guard

# of a normal distribution, the standard deviation over the median distance from the median
_CONSISTENT = 1.4826
# of the median: losses that hardly differ are no measure of what is far
_LEAST_SPREAD = 1e-3


class SpikeGuard:
    """Whether a step is taken, from its loss and gradient norm and those of the steps before.

    A function of the losses alone, so a resumed run decides the same. Numbers that are not finite
    are always refused; others only once the window is full.

    Attributes:
        reason: Why the last step was refused, for the log; empty where it was not.
    """

    def __init__(self, settings: Guard) -> None:
        self.settings = settings
        self.reason, self._in_a_row = "", 0
        self._losses: deque[float] = deque(maxlen=settings.window_steps)
        self._norms: deque[float] = deque(maxlen=settings.window_steps)

    def accepts(self, loss: float, grad_norm: float | None) -> bool:
        """Judge a step before it is taken; an engine that does not know the norm yet gives None.

        Raises:
            ConfigError: Too many steps in a row were refused.
        """
        self.reason = self._fault("loss", loss, self._losses, self.settings.loss_deviations)
        if not self.reason and grad_norm is not None:
            allowed = self.settings.norm_deviations
            self.reason = self._fault("gradient norm", grad_norm, self._norms, allowed)
        if not self.reason:
            self._in_a_row = 0
            self._losses.append(loss)
            if grad_norm is not None:
                self._norms.append(grad_norm)
            return True
        self._in_a_row += 1
        if self._in_a_row > self.settings.most_in_a_row:
            raise ConfigError(
                f"{self._in_a_row} steps in a row were too far off, the last one with a "
                f"{self.reason}: the weights are past mending; lower train.optim.lr, raise "
                f"train.schedule.warmup_share or set train.optim.clip_norm=1.0. Where such losses "
                f"are expected, raise train.guard.loss_deviations and norm_deviations, or set "
                f"train.guard=null"
            )
        return False

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "in_a_row": self._in_a_row,
            "losses": list(self._losses),
            "norms": list(self._norms),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self._in_a_row = state["in_a_row"]
        self._losses.extend(state["losses"])
        self._norms.extend(state["norms"])

    def _fault(self, name: str, value: float, known: deque[float], deviations: float | None) -> str:
        if not math.isfinite(value):
            return f"{name} of {value}"
        if deviations is None or len(known) < self.settings.window_steps:
            return ""
        middle = median(known)
        spread = _CONSISTENT * median(abs(one - middle) for one in known)
        spread = max(spread, _LEAST_SPREAD * abs(middle))
        if value <= middle + deviations * spread:
            return ""
        return (
            f"{name} of {value:.4g} ({(value - middle) / max(spread, 1e-12):.0f} deviations above "
            f"the median {middle:.4g} of the last {len(known)})"
        )
