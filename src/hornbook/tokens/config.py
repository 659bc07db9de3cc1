"""Schema of `tokens`."""

import re
from typing import Literal

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Fit:
    """A vocabulary learned from books and code; read when `kind` is fit."""

    whole_numbers_to: int  # 0, 1, ... up to this are one token each, everywhere
    min_frequency: int  # a pair seen less often is not merged
    sample_characters: dict[str, int]  # about how much of each corpus is looked at


@dataclass(frozen=True, config=STRICT)
class Files:
    """A vocabulary in the folder `data.tokenizer`; read when `kind` is files."""

    added_tokens: bool  # CodeGen's runs of blanks and tabs as tokens of their own


@dataclass(frozen=True, config=STRICT)
class Hub:
    """A vocabulary on the Hugging Face hub; read when `kind` is hub."""

    name: str  # of a repository with a tokenizer.json, a byte-level BPE
    revision: str | None  # a commit of it: a branch may come to mean other ids


@dataclass(frozen=True, config=STRICT)
class Tokenizer:
    """What the stage `tokenizer` makes."""

    kind: Literal["fit", "files", "hub"]
    vocab_size: int  # rows of the model's embedding; what the vocabulary leaves is padding
    eos_text: str  # spelling of the token that ends each document
    fit: Fit
    files: Files
    hub: Hub
    verify_documents: int  # documents of each corpus on which both implementations must agree
    expectations: tuple[Expectation, ...]  # of data set vocabulary: id, token, letters

    @model_validator(mode="after")
    def _room_for_bytes_and_numbers(self) -> "Tokenizer":
        numbers = max(0, self.fit.whole_numbers_to - 9)
        needed = 256 + numbers + 1
        if self.kind == "fit" and self.vocab_size < needed:
            raise ValueError(
                f"{self.vocab_size} has no room for 256 bytes, {numbers} whole numbers and the "
                f"end of text; expected at least {needed}"
            )
        return self

    @model_validator(mode="after")
    def _hub_names_a_commit(self) -> "Tokenizer":
        revision = self.hub.revision
        if self.kind == "hub" and not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
            raise ValueError(
                f"hub.revision={revision} of {self.hub.name}: expected a commit of 40 hexadecimal "
                f"digits, as https://huggingface.co/{self.hub.name}/commits/main lists them"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Shards:
    """What the stage `tokens` makes of each corpus."""

    shard_text_mib: int  # a shard is closed by the part of the corpus that reaches this
    heldout_fraction: float  # share of documents kept away from training, for evaluation loss
    seed: int  # of the choice of held-out documents
    expectations: tuple[Expectation, ...]  # of data set shards: file, documents, tokens, ...


@dataclass(frozen=True, config=STRICT)
class Tokens:
    """Vocabulary and token shards."""

    tokenizer: Tokenizer
    shards: Shards
