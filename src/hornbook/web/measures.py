"""What the quality rules count in a text, each counted once and only when a rule asks."""

from functools import cached_property
from typing import TYPE_CHECKING

from hornbook.web.vocabulary import (
    LENGTH_AT,
    LETTER,
    MARK,
    STOP_WORD_AT,
    STOP_WORDS,
    TOXIC,
    process_vocabulary,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Measures:
    """A text and its counts; words are those of `hornbook.web.words`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.vocabulary = process_vocabulary()

    @cached_property
    def pieces(self) -> list[str]:
        """What stands between white space."""
        return self.text.split()

    @cached_property
    def numbers(self) -> "NDArray[np.int64]":
        """The words by number."""
        return self.vocabulary.numbers(self.pieces)

    @cached_property
    def words(self) -> list[str]:
        """The words themselves, for what cannot be decided by numbers."""
        return [self.vocabulary.words[number] for number in self.numbers.tolist()]

    @cached_property
    def facts(self) -> "NDArray[np.int64]":
        """Bits and lengths of the words."""
        return self.vocabulary.facts(self.numbers)

    @cached_property
    def lengths(self) -> "NDArray[np.int64]":
        """Characters of each word."""
        return self.facts >> LENGTH_AT

    @property
    def num_words(self) -> int:
        """Words, marks included."""
        return len(self.numbers)

    @cached_property
    def num_plain_words(self) -> int:
        """Words that are more than marks."""
        return int((self.facts & MARK == 0).sum())

    @cached_property
    def mean_length(self) -> float:
        """Characters of a plain word in the mean; not a number where there is none."""
        plain = self.num_plain_words
        return float(self.lengths[self.facts & MARK == 0].sum()) / plain if plain else float("nan")

    @property
    def num_words_with_letters(self) -> int:
        """Words with at least one letter."""
        return int((self.facts & LETTER != 0).sum())

    @property
    def num_stop_words(self) -> int:
        """How many different stop words occur."""
        import numpy as np

        seen = int(np.bitwise_or.reduce(self.facts)) if self.num_words else 0
        return (seen >> STOP_WORD_AT & (1 << len(STOP_WORDS)) - 1).bit_count()

    @property
    def num_toxic_words(self) -> int:
        """Words of the toxic list."""
        return int((self.facts & TOXIC != 0).sum())

    @cached_property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def lines(self) -> list[str]:
        """Lines with something on them."""
        return [line for line in self.text.split("\n") if line and not line.isspace()]

    @cached_property
    def num_ellipses(self) -> int:
        """Ellipses of either spelling."""
        return self.text.count("...") + self.text.count("\u2026")


def repeats(parts: list[str]) -> tuple[int, int]:
    """How many of these stood before in the list, and their characters."""
    if len(set(parts)) == len(parts):
        return 0, 0
    seen: set[str] = set()
    count = characters = 0
    for part in parts:
        if part in seen:
            count += 1
            characters += len(part)
        seen.add(part)
    return count, characters
