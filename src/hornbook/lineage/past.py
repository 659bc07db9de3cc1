"""What stages took when they last ran here, and what they will take by that.

A measurement says how much was done (`work`) and where. Part of its time is the start of a stage
(`fixed_seconds`, in which its expectations load), which no volume changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.errors import HornbookError, InputError
from hornbook.lineage.manifest import Graph, LockEntry, Stage
from hornbook.lineage.reading import remembered
from hornbook.lineage.volume import (
    ASKING,
    TEACHER,
    TRAININGS,
    Volumes,
    place,
    told_by,
    value_at,
    variant_of,
    work,
)
from hornbook.stage import measurements_file

if TYPE_CHECKING:
    from hornbook.books.estimate import Estimate

NEWEST = "its newest run here"
# of the paper's trainings (the model card of phi-1.5), where nobody says on what they will run
GPU = "A100-40G"
TELLING = 0.02  # a factor nearer to one is none
PRICED = ("prompt", "completion")  # tokens that have a price
NUMBERS = ("seconds", "cpu_seconds", "fixed_seconds", "work")


@dataclass(frozen=True)
class Takes:
    """What a stage is expected to take; None is unknown.

    Seconds are of the clock, `gpu_hours` of all devices together. `basis` says what it is from.
    """

    seconds: float | None
    cpu_seconds: float | None
    gpu_hours: float | None
    cost_usd: float | None
    bytes: int | None
    basis: str


class Past:
    """What the stages of a graph will take; `device` is what trains where no GPU is here."""

    def __init__(
        self, graph: Graph, lock: Mapping[str, LockEntry], root: Path, device: str | None = None
    ) -> None:
        self._graph, self._root, self._device = graph, root, GPU if device is None else device
        if device is not None:
            _require_known(device)
        self._volumes = Volumes(graph, lock)
        self._measured = {name: measured(root, name) for name in graph.stages}

    def takes(self, name: str) -> Takes:
        """By its newest run, else by those of its family; scaled where it will do more or less."""
        stage = self._graph.stages[name]
        known, basis = self._like(stage)
        nothing = Takes(None, None, None, self._dollars(stage), self._volumes.size(name), "")
        here = [one for one in known if self._place(one) == place(stage, self._graph.params)]
        if not here:
            return self._elsewhere(stage, nothing, is_known=bool(known))
        factors = [self._factor(stage, one) for one in here]
        if None in factors:
            return replace(nothing, basis=f"{told_by(stage.family)}: not measured here")
        seconds, cpu = (
            _mean([_grown(self._measured[one], key, factor)
                   for one, factor in zip(here, factors, strict=True)])
            for key in ("seconds", "cpu_seconds")
        )  # fmt: skip
        factor = _mean(factors)
        if factor is not None and abs(factor - 1) >= TELLING:
            times = f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}"
            basis = f"{times} x {basis}, by {told_by(stage.family)}"
        hours = self._gpu_hours(stage, seconds)
        return replace(nothing, seconds=seconds, cpu_seconds=cpu, gpu_hours=hours, basis=basis)

    def restored(self, name: str) -> Takes:
        """Nothing is computed: the artifact is linked from the cache."""
        size = self._volumes.size(name)
        return Takes(0.0, 0.0, None, None, size, "DVC remembers a run on these inputs")

    def _like(self, stage: Stage) -> tuple[list[str], str]:
        """The measured stages to go by, and what to call them."""
        if self._measured[stage.name]:
            return [stage.name], NEWEST
        family = [
            name
            for name, one in self._graph.stages.items()
            if one.family == stage.family and self._measured[name]
        ]
        return family, f"other runs of {stage.family} here"

    def _place(self, name: str) -> str:
        """Where a stage was measured; older measurements are of the record."""
        known = self._measured[name].get("place")
        values, _ = self._volumes.recorded(name)
        return known if isinstance(known, str) else place(self._graph.stages[name], values)

    def _factor(self, stage: Stage, like: str) -> float | None:
        """The work of a stage beside that of a measured one; None is unknown."""
        now = work(stage, self._graph.params, self._volumes.read(stage.name))
        was = self._measured[like].get("work")
        if was is None:
            was = work(self._graph.stages[like], *self._volumes.recorded(like))
        if now == was:
            return 1.0  # also where neither is known: conf says the same as then
        return now / was if now is not None and was else None

    def _elsewhere(self, stage: Stage, nothing: Takes, *, is_known: bool) -> Takes:
        """Where nobody measured: a training by what was published, answers by the endpoints."""
        if stage.family in TRAININGS and (found := self._published(stage)):
            seconds, basis = found
            hours = self._gpu_hours(stage, seconds)
            return replace(nothing, seconds=seconds, cpu_seconds=0.0, gpu_hours=hours, basis=basis)
        if stage.family == "book_answers" and self._estimate and self._estimate.hours is not None:
            seconds, basis = self._estimate.hours * 3600, "hornbook books estimate"
            return replace(nothing, seconds=seconds, cpu_seconds=0.0, basis=basis)
        where = place(stage, self._graph.params)
        return replace(nothing, basis=f"never run on {where}" if is_known else "never run here")

    def _published(self, stage: Stage) -> tuple[float, str] | None:
        """Seconds of a training by the slowest published pace on such GPUs, and its name."""
        from hornbook.plan.devices import device_of
        from hornbook.plan.plan import plan_of, section
        from hornbook.train.config import Train

        params = self._graph.params
        settings = section(params, "train", Train)
        if settings.device != "cuda":
            return None
        try:
            device = device_of(
                self._device, peak_tflops=None, memory_gib=None, dtype=settings.dtype
            )
            plan = plan_of(
                params, variant_of(stage), device, checkpoint_seconds=None, checkpoints_kept=1
            )
        except HornbookError:
            return None
        if not plan.paces:
            return None
        pace = plan.paces[0]
        seconds = plan.budget_tokens / pace.tokens_per_second
        return seconds, f"{settings.ranks} x {device.name} at the pace of {pace.origin}"

    def _gpu_hours(self, stage: Stage, seconds: float | None) -> float | None:
        settings: Mapping[str, Any] = self._graph.params.get("train", {})
        is_gpu = stage.family in TRAININGS and "cuda" in str(settings.get("device"))
        return seconds * int(settings.get("ranks", 1)) / 3600 if is_gpu and seconds else None

    def _dollars(self, stage: Stage) -> float | None:
        """What the teacher's answers cost at most: those that are kept are not asked again.

        By `hornbook books estimate`, else by the tokens of the newest artifact. None where nobody
        asks for money, or nobody knows how many tokens it will be.
        """
        params = self._graph.params
        if stage.family not in ASKING:
            return None
        prices, model = value_at(params, "teacher.prices"), value_at(params, TEACHER)
        price = prices.get(model) if isinstance(prices, Mapping) else None
        if not isinstance(price, Mapping) or not any(price.get(kind) for kind in PRICED):
            return None
        if stage.family == "book_answers":
            return self._estimate.usd if self._estimate else None
        told = remembered(self._graph.root / stage.out / "summary.json")
        now = work(stage, params, self._volumes.read(stage.name))
        was = work(stage, *self._volumes.recorded(stage.name))
        factor = 1.0 if now == was else now / was if now and was else None
        if factor is None:
            return None
        return sum(told.get(f"{kind}_tokens", 0) * price[kind] for kind in PRICED) * factor / 1e6

    @cached_property
    def _estimate(self) -> "Estimate | None":
        """Of the answers for books; None where a price or the topics are not there."""
        from hornbook.books.estimate import estimate

        try:
            return estimate(self._root, self._graph.params)
        except HornbookError:
            return None


def _require_known(device: str) -> None:
    from hornbook.plan.devices import KNOWN, find_device

    if find_device(device) is None:
        raise InputError(f"--device {device!r} is not known; there are {', '.join(KNOWN)}")


def measured(root: Path, name: str) -> Mapping[str, Any]:
    """What the newest run of a stage here took; empty where there was none."""
    found = remembered(measurements_file(root, name))
    for key in NUMBERS:
        if not isinstance(found.get(key), int | float):
            found.pop(key, None)
    return found


def _grown(taken: Mapping[str, Any], key: str, factor: float | None) -> float | None:
    """Seconds of which all but the start are multiplied."""
    value = taken.get(key)
    if value is None or factor is None:
        return None
    start = min(taken.get("fixed_seconds", 0.0), value)
    return start + (value - start) * factor


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
