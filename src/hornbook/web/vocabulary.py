"""Facts of words, learned once: a text is an array of word numbers, by which facts are found."""

import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from hornbook.web.toxic import toxic_words
from hornbook.web.words import split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MARK, LETTER, TOXIC, SENTENCE_END, PUNCTUATION = 1, 2, 4, 8, 16  # bits of a word's facts
STOP_WORD_AT = 8  # the first of one bit for each stop word
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")  # Gopher's eight
LENGTH_AT = 16
COUNT_BITS = 10  # of the words of a piece; LONGEST bounds them
COUNT = (1 << COUNT_BITS) - 1
FULL = 400_000  # words after which the vocabulary of a process starts anew

# Unicode's property Sentence_Terminal, which the standard library does not tell
SENTENCE_ENDS = frozenset(
    "!.?\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965"
    "\u104a\u104b\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u17d6\u17d9\u17da\u1803\u1809"
    "\u1944\u1945\u1aa8\u1aa9\u1aaa\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1b7d\u1b7e\u1c3b\u1c3c\u1c7e"
    "\u1c7f\u203c\u203d\u2047\u2048\u2049\u2e2e\u2e3c\u2e53\u2e54\u3002\ua4ff\ua60e\ua60f\ua6f3"
    "\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb\ufe52"
    "\ufe56\ufe57\uff01\uff0e\uff1f\uff61"
)
# what a word that is only a mark consists of: ASCII's marks, their wide forms, quotes, dashes and
# control characters
MARKS = frozenset(
    "!/\u2014\u201d:\uff05\uff11\u3008&(\u3001\u2501\\\u3010#%\u300c\u300d\uff0c\u3011\uff1b+^]~"
    "\u201c\u300a\u201e';\u2019{|\u2236\u00b4[=-`*\uff0e(\u2013\uff1f\uff01\uff1a$\uff5e\u00ab\u3009"
    ',><\u300b)?\uff09\u3002\u2026@_."}\u25ba\u00bb'
).union(SENTENCE_ENDS, map(chr, range(9)), map(chr, range(11, 32)), map(chr, range(127, 160)))


class _Learned(dict[str, int]):
    """A table that learns what it is asked for first."""

    def __init__(self, learn: Callable[[str], int]) -> None:
        self.learn = learn

    def __missing__(self, key: str) -> int:
        found = self[key] = self.learn(key)
        return found


class _Column:
    """A growing array; what was added last joins it when the array is asked for."""

    def __init__(self) -> None:
        import numpy as np

        self._array = np.zeros(1024, np.int64)
        self._length = 0
        self.added: list[int] = []

    def __len__(self) -> int:
        return self._length + len(self.added)

    def array(self) -> "NDArray[np.int64]":
        """All values, with room behind them."""
        if self.added:
            first, self._length = self._length, len(self)
            if self._length > len(self._array):
                self._array.resize(2 * self._length, refcheck=False)
            self._array[first : self._length] = self.added
            self.added.clear()
        return self._array


class Vocabulary:
    """Words by number with their facts."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._facts = _Column()
        self._numbers = _Learned(self._learn_word)
        # the words of all pieces one after another; of a piece its first place and number of words
        self._runs = _Column()
        self._pieces = _Learned(self._learn_piece)

    def numbers(self, pieces: list[str]) -> "NDArray[np.int64]":
        """The numbers of all words of these pieces, in order."""
        import numpy as np

        found = np.fromiter(map(self._pieces.__getitem__, pieces), np.int64, len(pieces))
        counts = found & COUNT
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        places = np.repeat((found >> COUNT_BITS) - ends + counts, counts) + np.arange(total)
        return self._runs.array()[places]

    def facts(self, numbers: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Bits and length of each of these words."""
        return self._facts.array()[numbers]

    def _learn_word(self, word: str) -> int:
        self.words.append(word)
        self._facts.added.append(facts_of(word))
        return len(self.words) - 1

    def _learn_piece(self, piece: str) -> int:
        first = len(self._runs)
        words = split(piece)
        self._runs.added += map(self._numbers.__getitem__, words)
        return first << COUNT_BITS | len(words)


def facts_of(word: str) -> int:
    """What the rules ask of a word, as bits and its length."""
    facts = len(word) << LENGTH_AT
    if word.isalpha():
        facts |= LETTER
        if word in STOP_WORDS:
            facts |= 1 << (STOP_WORD_AT + STOP_WORDS.index(word))
        return facts | TOXIC if word.lower() in toxic_words() else facts
    if MARKS.issuperset(word):
        facts |= MARK
    if any(map(str.isalpha, word)):
        facts |= LETTER
    elif word in SENTENCE_ENDS:
        facts |= SENTENCE_END | PUNCTUATION
    elif all(unicodedata.category(one)[0] == "P" for one in word):
        facts |= PUNCTUATION
    return facts


_of_process: list[Vocabulary] = []


def process_vocabulary() -> Vocabulary:
    """The vocabulary that the texts of this process share; a new one when it is full."""
    if not _of_process or len(_of_process[0].words) > FULL:
        _of_process[:] = [Vocabulary()]
    return _of_process[0]
