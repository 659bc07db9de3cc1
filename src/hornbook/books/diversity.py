"""Stage `book_diversity`: how much the books say, and how often the same, per domain and style."""

import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_documents, write_bytes, write_json
from hornbook.books.config import Diversity
from hornbook.books.diversity_figure import draw
from hornbook.clean.words import words
from hornbook.seeds import stream
from hornbook.stage import Run

AXES = ("domain", "style")
ALL = "all"
LONGEST = 3  # n-grams counted


def book_diversity(run: Run) -> None:
    """Measure all books, each domain and each style on samples of equal length."""
    settings = run.section("books.diversity", Diversity)
    samples: dict[str, dict[str, list[str]]] = {axis: {} for axis in (ALL, *AXES)}
    rows = _in_random_order(run.input("artifacts/books/corpus"), settings)
    for row in rows:
        for axis, groups in samples.items():
            groups.setdefault(row.get(axis, ALL), []).append(row["text"])
    found: dict[str, dict[str, Any]] = {axis: {} for axis in samples}
    with run.progress(sum(map(len, samples.values())), "groups", "measuring") as bar:
        for axis, groups in samples.items():
            for name, texts in sorted(groups.items()):
                found[axis][name] = measure(texts, settings)
                bar.advance()
    write_json(run.out / "diversity.json", found)
    write_bytes(run.out / "diversity.png", draw(found))
    whole = found[ALL][ALL]
    run.summary(rows=len(rows), **{name: whole[name] for name in whole if name != "growth"})


def _in_random_order(corpus: Path, settings: Diversity) -> list[dict[str, Any]]:
    """Text, domain and style of enough books: those that come first would be of one domain."""
    rows = list(read_documents(corpus, ["text", *AXES]))
    order = stream(settings.seed, "diversity").permutation(len(rows)).tolist()
    return [rows[place] for place in order[: settings.books]]


def measure(texts: list[str], settings: Diversity) -> dict[str, Any]:
    """Figures of the first `settings.sample_words` words of `texts`.

    distinct_N: distinct N-grams by all N-grams; compression: bytes by zlib's bytes, higher is more
    repetitive; self_similarity: mean cosine of word counts over random pairs; heaps: the exponent
    of vocabulary against tokens; growth: tokens and distinct words so far.
    """
    tokens: list[str] = []
    used: list[str] = []
    for text in texts:
        if len(tokens) >= settings.sample_words:
            break
        used.append(text)
        tokens += words(text)
    tokens = tokens[: settings.sample_words]
    content = "\n".join(used).encode()
    growth = _growth(tokens, settings.points)
    return {
        "words": len(tokens),
        **{f"distinct_{n}": round(_distinct(tokens, n), 4) for n in range(1, LONGEST + 1)},
        "compression": round(len(content) / len(zlib.compress(content, 9)), 3),
        "self_similarity": round(_self_similarity(used, settings), 4),
        "heaps": round(_heaps(growth), 3),
        "growth": growth,
    }


def _distinct(tokens: list[str], n: int) -> float:
    grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
    return len(set(grams)) / max(len(grams), 1)


def _growth(tokens: list[str], points: int) -> list[tuple[int, int]]:
    """Tokens and vocabulary at `points` equal steps."""
    marks = sorted({max(1, len(tokens) * (n + 1) // points) for n in range(points)})
    seen: set[str] = set()
    found: list[tuple[int, int]] = []
    start = 0
    for mark in marks if tokens else []:
        seen.update(tokens[start:mark])
        start = mark
        found.append((mark, len(seen)))
    return found


def _heaps(growth: list[tuple[int, int]]) -> float:
    """Slope of log vocabulary against log tokens."""
    import numpy as np

    if len(growth) < 2:
        return 0.0
    tokens, vocabulary = np.log(np.array(growth, dtype=np.float64)).T
    return float(np.polyfit(tokens, vocabulary, 1)[0])


def _self_similarity(texts: list[str], settings: Diversity) -> float:
    if len(texts) < 2:
        return 0.0
    rng = stream(settings.seed, "pairs")
    counts = [Counter(words(text)) for text in texts]
    norms = [sum(n * n for n in count.values()) ** 0.5 for count in counts]
    total = 0.0
    for _ in range(settings.pairs):
        i, j = _pair(rng, len(texts))
        small, large = sorted((counts[i], counts[j]), key=len)
        dot = sum(n * large[word] for word, n in small.items())
        total += dot / (norms[i] * norms[j]) if norms[i] and norms[j] else 0.0
    return total / settings.pairs


def _pair(rng: Any, size: int) -> tuple[int, int]:  # noqa: ANN401 - numpy's generator
    """Two different places."""
    first, other = int(rng.integers(size)), int(rng.integers(size - 1))
    return first, other + (other >= first)
