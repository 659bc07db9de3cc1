"""How SQuAD v1.1 scores an answer. Source: its evaluation script; arXiv:1606.05250, 6.1."""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> list[str]:
    """The words that count: lower case, without ASCII punctuation and articles."""
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(said: str, right: str) -> float:
    """1 where both have the same words in the same order."""
    return float(normalised(said) == normalised(right))


def f1(said: str, right: str) -> float:
    """Harmonic mean of precision and recall over words, each counted as often as it occurs."""
    ours, theirs = normalised(said), normalised(right)
    same = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * same / (len(ours) + len(theirs)) if same else 0.0


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Scores of what was said against the best of the right answers."""
    said, right = results[0], doc["answers"]
    return {
        "exact_match": max(exact_match(said, one) for one in right),
        "f1": max(f1(said, one) for one in right),
    }
