"""Schema of `topics`."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Topics:
    """How many topics, about what, for whom, in which style."""

    count: Annotated[int, Field(gt=0)]
    seed: int
    weights: dict[
        str, Annotated[float, Field(ge=0)]
    ]  # share of each domain; unlisted domains get none
    audiences: list[str]
    styles: dict[str, list[str]]  # by domain; `default` for the others
    expectations: list[Expectation]
