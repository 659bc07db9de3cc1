"""The loss on documents that no training step sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_json
from hornbook.mixture.schedule import shares
from hornbook.tokens.windows import Windows
from hornbook.train.domains import SourceDomains

if TYPE_CHECKING:
    from hornbook.train.engine import Engine


class Heldout:
    """The same held-out sequences of each source at every evaluation, spread over its split."""

    def __init__(
        self,
        mixture: Path,
        folders: Mapping[str, Path],
        domains: Mapping[str, SourceDomains],
        *,
        context_tokens: int,
        sequences: int,
    ) -> None:
        import numpy as np

        declared = read_json(mixture / "mixture.json")["sources"]
        self._shares = shares({source["corpus"]: source["weight"] for source in declared})
        self._ids = {}
        self._domains: dict[str, list[str]] = {}
        self._all = [f"{corpus}/{name}" for corpus in domains for name in domains[corpus].names]
        for corpus in self._shares:
            windows = Windows(folders[corpus], "heldout", context_tokens)
            count = min(windows.count, sequences)
            chosen = np.linspace(0, windows.count - 1, count).astype(np.int64)
            self._ids[corpus] = windows.take(chosen)
            if corpus in domains:
                names = domains[corpus].names
                codes = domains[corpus].windows["heldout"][chosen].tolist()
                self._domains[corpus] = [f"{corpus}/{names[code]}" for code in codes]

    def losses(self, engine: "Engine") -> dict[str, float | None]:
        """Mean loss by source, by domain, and `all`: weighted as the mixture draws.

        A source without held-out sequences has None and no weight; a domain likewise.
        """
        each = {
            corpus: engine.evaluate(ids) if len(ids) else list[float]()
            for corpus, ids in self._ids.items()
        }
        found = {corpus: _mean(losses) for corpus, losses in each.items()}
        weights = {corpus: float(self._shares[corpus]) for corpus in found}
        known = {corpus: loss for corpus, loss in found.items() if loss is not None}
        total = sum(weights[corpus] for corpus in known)
        weighted = sum(weights[corpus] * loss for corpus, loss in known.items())
        by_domain: dict[str, list[float]] = {name: [] for name in self._all}
        for corpus, names in self._domains.items():
            for name, loss in zip(names, each[corpus], strict=True):
                by_domain[name].append(loss)
        of_domains = {name: _mean(losses) for name, losses in by_domain.items()}
        return {**found, **of_domains, "all": weighted / total if known else None}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
