"""Schema of `red_team`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


def _has_a_place(template: str) -> str:
    if template.count("{prompt}") != 1:
        raise ValueError("expected {prompt} once, where the prompt goes")
    return template


@dataclass(frozen=True, config=STRICT)
class RedTeam:
    """Which prompts, how they are answered, and how the answers are judged."""

    prompts: str  # a file as conf/red_team/embedded/prompts.yaml
    labels: str  # a CSV that people edit
    template: Annotated[str, AfterValidator(_has_a_place)]
    stops: list[str]  # strings that end an answer
    device: str
    dtype: Literal["float32", "bfloat16", "float16"]
    attention: Literal["explicit", "sdpa", "flash"]
    threads: Annotated[int, Field(gt=0)]
    batch_rows: Annotated[int, Field(gt=0)]
    new_tokens: Annotated[int, Field(gt=0)]  # the most of an answer
    rubric: str  # what the judge is told
    expectations: list[Expectation]
