"""Schema of `perplexity`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Perplexity:
    """Which held-out text every variant reads, whatever it was trained on."""

    corpora: tuple[str, ...]
    columns: dict[str, str]  # by corpus: the column of its documents that names their domain
    most: Annotated[int, Field(ge=1, le=255)]  # domains by tokens, of each corpus; rest is `other`
    windows: Annotated[int, Field(gt=0)] | None  # of each corpus, spread over it; null is all
    device: str
    dtype: Literal["float32", "bfloat16", "float16"]
    attention: Literal["explicit", "sdpa", "flash"]
    threads: Annotated[int, Field(gt=0)]
    batch_rows: Annotated[int, Field(gt=0)]
    expectations: list[Expectation]  # of the data set of cells, one for each source and domain
