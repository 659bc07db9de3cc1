"""The score of the article-extraction benchmark: runs of four words."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable

WORD = re.compile(r"\w+")


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Runs of four words, with how often each comes."""
    words = WORD.findall(text)
    return Counter(tuple(words[n : n + 4]) for n in range(max(1, len(words) - 3)) if words)


def f1(pairs: Iterable[tuple[str, str]]) -> float:
    """Of mean precision and mean recall over pages; a pair is the true text and the found one."""
    precisions: list[float] = []
    recalls: list[float] = []
    for true, found in pairs:
        one, other = shingles(true), shingles(found)
        both = sum((one & other).values())
        if other:
            precisions.append(both / sum(other.values()))
        if one:
            recalls.append(both / sum(one.values()))
    precision, recall = statistics.mean(precisions), statistics.mean(recalls)
    return 2 * precision * recall / (precision + recall)
