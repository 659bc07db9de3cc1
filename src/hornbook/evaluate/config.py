"""Schema of `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation
from hornbook.sandbox.config import Sandbox


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """Which benchmarks, on which device, under which limits."""

    suites: dict[Literal["choice", "generate", "code", "micro"], list[str]]
    limit: int | None  # items per benchmark; null is all
    seed: int  # of few-shot examples and of the bootstrap
    device: str
    dtype: Literal["float32", "bfloat16", "float16"]
    attention: Literal["explicit", "sdpa", "flash"]
    threads: Annotated[int, Field(gt=0)]
    batch_rows: Annotated[int, Field(gt=0)]
    new_tokens: Annotated[int, Field(gt=0)]  # the most that is generated for an item
    resamples: Annotated[int, Field(gt=0)]  # of the cluster bootstrap
    sandbox: Sandbox
    expectations: list[Expectation]
