"""Documents with planted near-duplicates, made from sentences that people wrote or from words."""

import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHARACTERS = 1400
_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Planted:
    """Texts in their order, pairs (place, place, similarity) that were planted, what they are."""

    texts: list[str]
    pairs: list[tuple[int, int, float]]
    source: str


def shingles(text: str, length: int = 5) -> set[tuple[str, ...]]:
    """Runs of words, as a set."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[n : n + length]) for n in range(max(1, len(words) - length + 1))}


def similarity(left: str, right: str) -> float:
    """Jaccard similarity of the shingles."""
    one, other = shingles(left), shingles(right)
    return len(one & other) / len(one | other)


def planted(data: Path, count: int, seed: int = 0) -> Planted:
    """`count` documents, 8 % of them edited copies (.8 to .95), 4 % controls (.5 to .7).

    2 % are exact copies but for white space.
    """
    draw = random.Random(seed)
    pool, source = sentences(data, draw)
    near, controls, exact = count * 8 // 100, count * 4 // 100, count * 2 // 100
    bases = [document(pool, draw) for _ in range(count - near - controls - exact)]
    copies: list[tuple[int, str]] = []
    ranges = [(0.8, 0.95)] * near + [(0.5, 0.7)] * controls + [(1.0, 1.0)] * exact
    chosen = draw.sample(range(len(bases)), len(ranges))
    for base, (low, high) in zip(chosen, ranges, strict=True):
        copies.append((base, edited(bases[base], draw.uniform(low, high), pool, draw)))
    order = list(range(count))
    draw.shuffle(order)
    texts = [""] * count
    for place, text in zip(order, [*bases, *(text for _, text in copies)], strict=True):
        texts[place] = text
    pairs = [
        (order[base], order[len(bases) + n], similarity(bases[base], text))
        for n, (base, text) in enumerate(copies)
    ]
    return Planted(texts, pairs, source)


def document(pool: list[str], draw: random.Random) -> str:
    """Random sentences up to the usual size, in paragraphs."""
    parts: list[str] = []
    size = 0
    while size < CHARACTERS:
        parts.append(draw.choice(pool))
        size += len(parts[-1]) + 1
        parts.append("\n\n" if draw.random() < 0.2 else " ")
    return "".join(parts).strip()


def edited(text: str, target: float, pool: list[str], draw: random.Random) -> str:
    """`text` with so many words replaced that about `target` of the shingles stay common."""
    words = text.split(" ")
    if target == 1.0:
        return "  ".join(words) + "\n"
    count = len(shingles(text))
    changes = max(1, round(count * (1 - target) / (1 + target) / 5))
    # apart from each other, so that each changes five shingles
    step = len(words) / changes
    for n in range(changes):
        place = min(int(n * step + draw.random() * max(1, step - 5)), len(words) - 1)
        words[place] = draw.choice(draw.choice(pool).split())
    return " ".join(words)


def sentences(data: Path, draw: random.Random) -> tuple[list[str], str]:
    """Sentences of 40 to 400 characters, and where they are from."""
    if (data / "openstax_python").is_dir():
        found = {
            one
            for text in written(data)
            for one in _END.split(" ".join(text.split()))
            if 40 <= len(one) <= 400
        }
        return sorted(found), "documents of sentences of OpenStax, DCLM, BoolQ, SQuAD, LAMBADA"
    letters = "abcdefghijklmnoprstuvwy"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(20_000)]
    weights = [1 / (n + 10) for n in range(len(words))]
    made = [
        " ".join(draw.choices(words, weights, k=draw.randint(8, 30))).capitalize() + "."
        for _ in range(40_000)
    ]
    return made, "documents of generated sentences"


def written(data: Path) -> Iterator[str]:
    """Texts of the shared data."""
    for name in ("openstax_python", "dclm_quality_judgements", "boolq", "lambada"):
        for file in sorted((data / name).glob("*.jsonl.gz")):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                for line in lines:
                    row: dict[str, Any] = json.loads(line)
                    yield str(row.get("text") or row.get("passage") or "")
    for file in sorted((data / "squad").glob("*.json.gz")):
        for article in json.loads(gzip.decompress(file.read_bytes()))["data"]:
            for paragraph in article["paragraphs"]:
                yield paragraph["context"]
