"""Schema of `mixture`."""

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Source:
    """How much of a corpus is drawn: a share of the variant's budget, or a number of epochs."""

    weight: float | None  # its share of the drawn sequences is this over the sum of all
    tokens: int | None  # that are used of it, a seeded choice of windows; null is all
    epochs: float | None  # how often these are drawn


@dataclass(frozen=True, config=STRICT)
class Variant:
    """One branch of the experiment: sources and how much of each."""

    sources: dict[str, Source]  # by corpus; all with a weight, or all with epochs
    budget_tokens: int | None  # tokens drawn over the whole training; null with epochs
    max_epochs: float  # how often a source may be repeated
    order_seed: int  # of the order within each source
    expectations: tuple[Expectation, ...]  # of data set sources: corpus, share, epochs, ...

    @property
    def is_weighted(self) -> bool:
        """Whether shares of a budget are declared, and not epochs."""
        return any(source.weight is not None for source in self.sources.values())

    @model_validator(mode="after")
    def _is_one_of_two_forms(self) -> "Variant":
        form = "weight" if self.is_weighted else "epochs"
        other = "epochs" if self.is_weighted else "weight"
        mixed = [
            name
            for name, source in self.sources.items()
            if getattr(source, form) is None or getattr(source, other) is not None
        ]
        if not self.sources or mixed:
            raise ValueError(
                f"sources {', '.join(mixed) or 'are none'}: expected a weight for every source and "
                f"budget_tokens, or epochs for every source and no budget_tokens"
            )
        if self.is_weighted != (self.budget_tokens is not None):
            raise ValueError(
                f"budget_tokens={self.budget_tokens}: expected a number, as the sources have "
                f"weights"
                if self.is_weighted
                else f"budget_tokens={self.budget_tokens}: expected null, as the sources' tokens "
                f"and epochs give it"
            )
        return self

    @model_validator(mode="after")
    def _numbers_are_positive(self) -> "Variant":
        said = {"budget_tokens": self.budget_tokens, "max_epochs": self.max_epochs}
        for name, source in self.sources.items():
            said |= {f"sources.{name}.{key}": value for key, value in vars(source).items()}
        bad = [f"{k}={v}" for k, v in said.items() if isinstance(v, int | float) and not v > 0]
        if bad:
            raise ValueError(
                f"{', '.join(bad)}: expected positive numbers; leave a corpus out to give it none"
            )
        most = max((source.epochs or 0 for source in self.sources.values()), default=0)
        if most > self.max_epochs:
            raise ValueError(f"{most:g} epochs of a source, but max_epochs={self.max_epochs:g}")
        return self


@dataclass(frozen=True, config=STRICT)
class Mixture:
    """The variants by slug."""

    variants: dict[str, Variant]
