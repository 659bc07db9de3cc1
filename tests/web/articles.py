"""A text that passes every rule, and the score of the article-extraction benchmark."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable

STORY = (
    "The water of the river runs to the sea, and that is why we have rain with the wind. Warm air "
    "takes up a little of it from every lake. When such air climbs over the hills, it cools and "
    "lets go of what it carried. Small drops meet, grow heavy and fall on fields, roofs and woods. "
    "Some of them sink into the ground, where roots and wells wait. The others find a stream to "
    "follow, and so their long way down to the coast begins again."
)
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
