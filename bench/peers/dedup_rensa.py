"""rensa's deduplicator over 5-grams of words: FOLDER with in/*.jsonl; prints the CPU seconds.

As its readme has it: a stream of (id, tokens), 128 slots, candidates by LSH, similarity estimated
from the signatures. At its own choice of bands and .8 it finds 71 % of the planted copies; with
these bands and .75 it finds as many as ours. Writes the ids that are left to FOLDER/left.json.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rensa import RMinHashDeduplicator

_WORD = re.compile(r"\w+")


def grams(text: str) -> list[str]:
    """Runs of five words."""
    words = _WORD.findall(text.lower())
    return [" ".join(words[n : n + 5]) for n in range(max(1, len(words) - 4))]


def rows(folder: Path) -> Iterator[tuple[str, str]]:
    """Id and text of each document."""
    for file in sorted((folder / "in").glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield row["id"], row["text"]


def main(folder: Path) -> None:
    """Keep the first of what is similar."""
    started = time.process_time()
    deduplicator = RMinHashDeduplicator(threshold=0.75, num_perm=128, use_lsh=True, num_bands=16)
    listed = list(rows(folder))
    kept = deduplicator.add_pairs((key, grams(text)) for key, text in listed)
    left = [key for (key, _), stays in zip(listed, kept, strict=True) if stays]
    seconds = time.process_time() - started
    (folder / "left.json").write_text(json.dumps(left), "utf-8")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
