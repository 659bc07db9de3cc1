"""Schema of `teacher`: who writes, how it samples, what it costs."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT


@dataclass(frozen=True, config=STRICT)
class Price:
    """US dollars per million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    completion: Annotated[float, Field(ge=0)]
    batch: Annotated[float, Field(ge=0, le=1)]  # what the Batch API asks of both


@dataclass(frozen=True, config=STRICT)
class Teacher:
    """What is asked; where it answers is `runtime.teacher_url`."""

    model: str  # `procedural` is the embedded one
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    prices: dict[str, Price]  # by model; a model without a price is refused
