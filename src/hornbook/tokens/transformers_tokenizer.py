"""The tokenizer of any folder that transformers reads, with the interface of our `Encoder`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.errors import ArtifactError

_LETTER = "a"  # a text of which every tokenizer makes tokens


class TransformersTokenizer:
    """The tokenizer of a checkpoint; build it with `TransformersTokenizer.load`.

    Attributes:
        eos: Id of the end-of-text token.
        tokens: One more than the largest id in use.
        start: Ids that the tokenizer itself puts before a text, such as the one of `<s>`.
    """

    def __init__(self, tokenizer: Any, folder: Path) -> None:  # noqa: ANN401 - untyped
        if tokenizer.eos_token_id is None:
            raise ArtifactError(
                f"{folder}: its tokenizer names no end of text; set eos_token in "
                f"tokenizer_config.json to the token that ended a document in its training"
            )
        self._tokenizer = tokenizer
        self.eos: int = tokenizer.eos_token_id
        self.tokens: int = 1 + max(tokenizer.get_vocab().values())
        plain = self.plain(_LETTER)
        whole: list[int] = tokenizer.encode(_LETTER)
        self.start = whole[: _place(plain, whole)]
        # what is decoded stands behind a letter: at the beginning of a text a SentencePiece
        # tokenizer drops a blank, and so the indentation of a program
        self._before = plain
        self._before_text = self._text(plain)

    @classmethod
    def load(cls, folder: Path) -> "TransformersTokenizer":
        """The tokenizer in `folder`; no code that the folder brings is run.

        Raises:
            ArtifactError: There is none that can be read, or it names no end of text.
        """
        os.environ |= {"HF_HUB_OFFLINE": "1"}  # nobody is called unasked
        from transformers import AutoTokenizer

        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:
            raise ArtifactError(
                f"{folder}: transformers cannot read its tokenizer "
                f"({' '.join(str(error).split())[:300]}); copy the files of the tokenizer again, "
                f"or with AutoTokenizer save it as tokenizer.json"
            ) from error
        return cls(tokenizer, folder)

    def plain(self, text: str) -> list[int]:
        """Ids of `text` alone; the spelling of a special token in it is ordinary text."""
        return self._tokenizer.encode(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        )

    def encode(self, text: str) -> list[int]:
        """Ids of `text` after those that the tokenizer puts before one."""
        return [*self.start, *self.plain(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` as it goes on another text, special tokens left out."""
        return self._text([*self._before, *ids]).removeprefix(self._before_text)

    def _text(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )


def _place(part: Sequence[int], whole: Sequence[int]) -> int:
    """Where `part` begins in `whole`; 0 where it is not in it."""
    size = len(part)
    starts = range(len(whole) - size + 1)
    return next((at for at in starts if list(whole[at : at + size]) == list(part)), 0)
