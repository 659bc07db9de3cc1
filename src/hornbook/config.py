"""What every section of the schema shares: strictness and the form of an expectation."""

from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class Expectation:
    """A Great Expectations expectation: `type` in snake case, `kwargs` as its class takes them."""

    type: str
    kwargs: dict[str, Any]


@dataclass(frozen=True, config=STRICT)
class ComparedModel:
    """A model of `models.compare`, found."""

    folder: str
    hub: str | None  # NAME@COMMIT where it is of the Hugging Face hub
