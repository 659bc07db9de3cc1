"""The loss on documents that no training step sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_json
from hornbook.mixture.schedule import shares
from hornbook.tokens.windows import Windows

if TYPE_CHECKING:
    from hornbook.train.engine import Engine


class Heldout:
    """The same held-out sequences of each source at every evaluation, spread over its split."""

    def __init__(
        self, mixture: Path, folders: Mapping[str, Path], *, context_tokens: int, sequences: int
    ) -> None:
        import numpy as np

        declared = read_json(mixture / "mixture.json")["sources"]
        self._shares = shares({source["corpus"]: source["weight"] for source in declared})
        self._ids = {}
        for corpus in self._shares:
            windows = Windows(folders[corpus], "heldout", context_tokens)
            count = min(windows.count, sequences)
            self._ids[corpus] = windows.take(
                np.linspace(0, windows.count - 1, count).astype(np.int64)
            )

    def losses(self, engine: "Engine") -> dict[str, float | None]:
        """Mean loss by source, and `all`: weighted as the mixture draws.

        A source without held-out sequences has None and no weight.
        """
        found = {
            corpus: _mean(engine.evaluate(ids)) if len(ids) else None
            for corpus, ids in self._ids.items()
        }
        weights = {corpus: float(self._shares[corpus]) for corpus in found}
        known = {corpus: loss for corpus, loss in found.items() if loss is not None}
        total = sum(weights[corpus] for corpus in known)
        weighted = sum(weights[corpus] * loss for corpus, loss in known.items())
        return {**found, "all": weighted / total if known else None}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
