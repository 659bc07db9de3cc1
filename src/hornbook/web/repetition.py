"""Gopher's repetition rules. Source: arXiv 2112.11446, Table A1, as datatrove counts them.

Runs of words are compared by hashes first: the characters in runs that occur again are a bound on
what the rules count, and only a text above it is counted as the rules say.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hornbook.web.measures import Measures, repeats
from hornbook.web.rules_config import GopherRepetition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARAGRAPHS = re.compile(r"\n{2,}")
LINES = re.compile(r"\n+")
TOP = (2, 3, 4)
RUNS = (5, 6, 7, 8, 9, 10)
REASONS = (
    "repeated_paragraphs", "repeated_paragraph_characters", "repeated_lines",
    "repeated_line_characters", *(f"top_{n}_gram" for n in TOP),
    *(f"repeated_{n}_grams" for n in RUNS),
)  # fmt: skip
FACTOR = 0x9E3779B97F4A7C15  # odd, so that no bit of a hash is lost


def of_lines(text: Measures, rules: GopherRepetition) -> Iterator[str]:
    """The reason of each rule about lines and paragraphs that the text breaks."""
    size = len(text.text)
    if not size:
        return
    paragraphs = PARAGRAPHS.split(text.text.strip())
    count, characters = repeats(paragraphs)
    if count / len(paragraphs) > rules.max_repeated_paragraphs:
        yield "repeated_paragraphs"
    if characters / size > rules.max_repeated_paragraph_characters:
        yield "repeated_paragraph_characters"
    lines = LINES.split(text.text)
    count, characters = repeats(lines)
    if count / len(lines) > rules.max_repeated_lines:
        yield "repeated_lines"
    if characters / size > rules.max_repeated_line_characters:
        yield "repeated_line_characters"


def of_words(text: Measures, rules: GopherRepetition) -> Iterator[str]:
    """The reason of each rule about runs of words that the text breaks."""
    size = len(text.text)
    if not text.num_words:
        return
    top = {2: rules.max_top_2_gram, 3: rules.max_top_3_gram, 4: rules.max_top_4_gram}
    most = {
        5: rules.max_repeated_5_grams, 6: rules.max_repeated_6_grams,
        7: rules.max_repeated_7_grams, 8: rules.max_repeated_8_grams,
        9: rules.max_repeated_9_grams, 10: rules.max_repeated_10_grams,
    }  # fmt: skip
    hashes = _hashes_of_runs(text)
    for n in TOP:
        if _is_top_above(text, n, next(hashes), top[n] * size):
            yield f"top_{n}_gram"
    at_most = _repeated_characters(text, next(hashes)) / size
    for n in RUNS:
        if at_most > most[n] and _characters_again(text.words, n) / size > most[n]:
            yield f"repeated_{n}_grams"


def _hashes_of_runs(text: Measures) -> "Iterator[NDArray[np.uint64]]":
    """Hashes of all runs of 2, 3, 4 and 5 words, each length from the one before."""
    import numpy as np

    words = _mixed(text.numbers.astype(np.uint64))
    runs, factor = words, 1
    for n in (*TOP, RUNS[0]):
        factor = factor * FACTOR % 2**64
        runs = runs[:-1] + words[n - 1 :] * np.uint64(factor)
        yield runs


def _mixed(numbers: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """Numbers spread over 64 bits (the finaliser of splitmix64)."""
    import numpy as np

    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ numbers >> np.uint64(shift)) * np.uint64(factor)
    return numbers ^ numbers >> np.uint64(31)


def _is_top_above(text: Measures, n: int, hashes: "NDArray[np.uint64]", most: float) -> bool:
    """Whether the most frequent run of n words has more characters in all than `most`."""
    import numpy as np

    if not len(hashes):
        return False
    ordered = np.sort(hashes)
    starts = np.flatnonzero(ordered[1:] != ordered[:-1])
    times = int(np.diff(starts, prepend=-1, append=len(ordered) - 1).max())
    if times * (int(_sums(text.lengths, n).max()) + n - 1) <= most:
        return False
    words = text.words
    runs = Counter(" ".join(words[at : at + n]) for at in range(len(words) - n + 1))
    run, count = runs.most_common(1)[0]
    return len(run) * count > most


def _repeated_characters(text: Measures, hashes: "NDArray[np.uint64]") -> int:
    """Characters of words inside runs of five that were there before.

    A longer run that repeats consists of such runs, so this bounds what any length can count.
    """
    import numpy as np

    n = RUNS[0]
    if len(hashes) < 2:
        return 0
    order = np.argsort(hashes, kind="stable")
    again = order[1:][hashes[order][1:] == hashes[order][:-1]]
    if not len(again):
        return 0
    covered = np.zeros(text.num_words + 1, np.int64)
    np.add.at(covered, again, 1)
    np.add.at(covered, again + n, -1)
    return int(text.lengths[np.cumsum(covered)[:-1] > 0].sum())


def _sums(lengths: "NDArray[np.int64]", n: int) -> "NDArray[np.int64]":
    import numpy as np

    total = np.append(0, np.cumsum(lengths))
    return total[n:] - total[:-n]


def _characters_again(words: list[str], n: int) -> int:
    """Characters of runs of n words that were there before, none counted in two runs."""
    seen: set[str] = set()
    found = at = 0
    while at <= len(words) - n:
        run = "".join(words[at : at + n])
        if run in seen:
            found += len(run)
            at += n
        else:
            seen.add(run)
            at += 1
    return found
