"""Schema of `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation
from hornbook.evaluate.items import BENCHMARKS, PROGRAMS
from hornbook.sandbox.config import Sandbox


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """Which benchmarks, on which device, under which limits."""

    suites: dict[Literal["choice", "generate", "code", "micro"], list[str]]
    limit: int | None  # items per benchmark; null is all
    seed: int  # of few-shot examples, of drawn programs and of the bootstrap
    device: str
    dtype: Literal["float32", "bfloat16", "float16"]
    attention: Literal["explicit", "sdpa", "flash"]
    threads: Annotated[int, Field(gt=0)]
    batch_rows: Annotated[int, Field(gt=0)]
    new_tokens: Annotated[int, Field(gt=0)]  # the most that is generated for an item
    samples: Annotated[int, Field(gt=0)]  # programs for each problem; one is the likeliest text
    temperature: Annotated[float, Field(gt=0)]  # of several programs, which are drawn
    pass_at: Annotated[list[int], Field(min_length=1)]  # k of each pass@k, of `samples` at most
    resamples: Annotated[int, Field(gt=0)]  # of the cluster bootstrap
    sandbox: Sandbox
    expectations: list[Expectation]

    @model_validator(mode="after")
    def _can_be_asked(self) -> "Evaluate":
        wrong = [k for k in self.pass_at if not 1 <= k <= self.samples]
        if wrong or len(set(self.pass_at)) < len(self.pass_at):
            raise ValueError(
                f"pass_at={self.pass_at} with samples={self.samples}: expected numbers from 1 to "
                f"samples, each once; pass@k needs at least k programs for each problem"
            )
        for suite, names in self.suites.items():
            for name in names:
                _check(suite, name)
        return self


def _check(suite: str, name: str) -> None:
    """Refuse a benchmark that is not known, or that the suite does not ask in its way."""
    if name.startswith("micro_"):
        return
    if name not in BENCHMARKS:
        raise ValueError(
            f"suites.{suite} has {name!r}; there are {', '.join(BENCHMARKS)} and micro_*"
        )
    if (name in PROGRAMS) != (suite == "code"):
        where = "code" if name in PROGRAMS else "choice or suites.generate"
        raise ValueError(f"suites.{suite} has {name!r}, which belongs to suites.{where}")
