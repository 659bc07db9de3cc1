"""What a run is trained and evaluated on: draws, held-out sequences, and what each is of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_json
from hornbook.mixture.sampler import Sampler
from hornbook.train.config import Train
from hornbook.train.domains import SourceDomains, source_domains
from hornbook.train.heldout import Heldout

if TYPE_CHECKING:
    from collections.abc import Callable

    from hornbook.stage import Run


@dataclass(frozen=True)
class Data:
    """The data of one run.

    Attributes:
        open_sampler: A sampler of one's own, for a thread; all draw the same.
        domains: By source, for those that are split into domains.
    """

    sampler: Sampler
    open_sampler: "Callable[[], Sampler]"
    heldout: Heldout
    domains: Mapping[str, SourceDomains]
    context_tokens: int
    batch_sequences: int

    @property
    def domain_names(self) -> list[str]:
        """`source/domain` of all, sorted."""
        return [f"{one}/{name}" for one in sorted(self.domains) for name in self.domains[one].names]

    def domain_numbers(self, sources: Sequence[int], windows: Sequence[int]) -> list[int]:
        """Which of `domain_names` each drawn sequence is of; -1 where its source is not split."""
        first: dict[str, int] = {}
        for one in sorted(self.domains):
            first[one] = sum(len(self.domains[known].names) for known in first)
        names = self.sampler.sources
        return [
            first[names[source]] + int(self.domains[names[source]].windows["train"][window])
            if names[source] in first
            else -1
            for source, window in zip(sources, windows, strict=True)
        ]

    def digest(self, previous: str, step: int) -> str:
        """The digest of all draws after a step."""
        return self.sampler.digest(previous, step, self.batch_sequences)


def open_data(run: "Run", mixture: Path, settings: Train, *, context_tokens: int) -> Data:
    """The data of a mixture.

    Raises:
        ArtifactError: Tokens are not those that the mixture was made from.
        ConfigError: A corpus has no such domains.
    """
    corpora = sorted(source["corpus"] for source in read_json(mixture / "mixture.json")["sources"])
    folders = {corpus: run.input(f"artifacts/tokens/{corpus}") for corpus in corpora}
    open_sampler = partial(
        Sampler, mixture, folders, context_tokens=context_tokens, seed=settings.seed
    )
    chosen = settings.curve.domains
    domains = {
        corpus: source_domains(
            folders[corpus],
            run.input(f"artifacts/clean/decontaminated/{corpus}"),
            column=chosen.columns[corpus],
            most=chosen.most,
            context_tokens=context_tokens,
        )
        for corpus in corpora
        if corpus in chosen.columns
    }
    heldout = Heldout(
        mixture,
        folders,
        domains,
        context_tokens=context_tokens,
        sequences=settings.curve.evaluate_sequences,
    )
    return Data(
        open_sampler(), open_sampler, heldout, domains, context_tokens, settings.batch_sequences
    )
