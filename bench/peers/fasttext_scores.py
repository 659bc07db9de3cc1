"""fastText's classifier in its own environment: TASK OUT DIM NGRAMS; CPU seconds of each run.

TASK is JSON with `train` (text, label) and `texts`; OUT gets the probability of label 1 by text.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import fasttext

RUNS = 3


def main(task: Path, out: Path, dim: int, ngrams: int) -> None:
    """Train, predict, write, print the seconds."""
    given = json.loads(task.read_text("utf-8"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"__label__{label} {flat(text)}\n" for text, label in given["train"])
        file.flush()
        model = fasttext.train_supervised(
            file.name, dim=dim, wordNgrams=ngrams, epoch=25, lr=0.5, bucket=65536, thread=1,
            seed=0, verbose=0,
        )  # fmt: skip
    seconds: list[float] = []
    for _ in range(RUNS):
        started = time.process_time()
        labels, chances = model.predict([flat(text) for text in given["texts"]], k=2)
        seconds.append(time.process_time() - started)
    found = [
        dict(zip(names, map(float, values), strict=True)).get("__label__1", 0.0)
        for names, values in zip(labels, chances, strict=True)
    ]
    out.write_text(json.dumps(found), encoding="utf-8")
    print(json.dumps(seconds))


def flat(text: str) -> str:
    """One line, which is what fastText reads."""
    return text.replace("\n", " ")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
