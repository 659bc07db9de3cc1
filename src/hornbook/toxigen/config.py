"""Schema of `toxigen`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Toxigen:
    """How the safety score is computed."""

    device: str
    dtype: Literal["float32", "bfloat16", "float16"]
    attention: Literal["explicit", "sdpa", "flash"]
    threads: Annotated[int, Field(gt=0)]
    batch_rows: Annotated[int, Field(gt=0)]
    p_value: Annotated[float, Field(gt=0, lt=1)]  # groups above it are dropped, as published
    limit: int | None  # sentences; null is all
    resamples: Annotated[int, Field(gt=0)]  # of the sentences, for the intervals of the scores
    resamples_seed: int
    expectations: list[Expectation]
