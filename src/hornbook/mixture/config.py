"""Schema of `mixture`."""

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Variant:
    """One branch of the experiment: sources and how much of each."""

    weights: dict[str, float]  # share of the drawn sequences per corpus, normalised to one
    budget_tokens: int  # tokens drawn over the whole training
    max_epochs: float  # how often a source may be repeated
    order_seed: int  # of the order within each source
    expectations: tuple[Expectation, ...]  # of data set sources: corpus, weight, epochs

    @model_validator(mode="after")
    def _weights_are_shares(self) -> "Variant":
        bad = {name: weight for name, weight in self.weights.items() if not weight > 0}
        if bad or not self.weights:
            raise ValueError(
                f"weights={self.weights}: expected a positive number for each corpus; leave a "
                f"corpus out to give it none"
            )
        if self.budget_tokens <= 0 or self.max_epochs <= 0:
            raise ValueError(
                f"budget_tokens={self.budget_tokens} and max_epochs={self.max_epochs}: expected "
                f"positive numbers"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Mixture:
    """The variants by slug."""

    variants: dict[str, Variant]
