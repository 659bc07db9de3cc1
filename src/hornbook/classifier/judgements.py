"""What people judged: texts with a label of 1 (good) or 0, from a folder of JSON lines."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hornbook.errors import InputError

NAMES = ("*.jsonl", "*.jsonl.gz")


class Judged(NamedTuple):
    """Texts of one file and whether people called them good."""

    texts: list[str]
    is_good: NDArray[np.bool_]


def read(folder: Path, skipped: Counter[str]) -> dict[str, Judged]:
    """The judgements of each file by its name without `_data`; unreadable rows are counted.

    Nothing where `folder` is a file: that is how an experiment says that it has none.

    Raises:
        InputError: The folder has no file of judgements, or a file not a single one.
    """
    if not folder.is_dir():
        return {}
    files = sorted({file for name in NAMES for file in folder.glob(name)})
    if not files:
        raise InputError(f"data.judgements={folder} holds none of {', '.join(NAMES)}")
    return {file.name.split(".")[0].removesuffix("_data"): _file(file, skipped) for file in files}


def _file(file: Path, skipped: Counter[str]) -> Judged:
    content = file.read_bytes()
    lines = (gzip.decompress(content) if file.suffix == ".gz" else content).splitlines()
    texts: list[str] = []
    labels: list[bool] = []
    for line in lines:
        try:
            row = json.loads(line)
            text, label = row["text"], row["label"]
        except (ValueError, KeyError, TypeError):
            skipped["unreadable"] += 1
            continue
        if not isinstance(text, str) or label not in {0, 1}:
            skipped["no_label"] += 1
            continue
        texts.append(text)
        labels.append(bool(label))
    if not texts:
        raise InputError(
            f"{file} has no line with a text and a label of 0 or 1; data.judgements names the "
            f"folder of such files, or a file of another kind where there are none"
        )
    return Judged(texts, np.array(labels))
