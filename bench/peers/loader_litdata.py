"""litdata's loader for language models, as its guide has it, over the tokens of `tokens.npy`.

loader_litdata.py FOLDER EPOCHS
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from litdata import StreamingDataLoader, StreamingDataset, TokensLoader, optimize

SEQUENCES, CONTEXT = 8, 2048
DOCUMENT_TOKENS = 1000


def documents(file: str) -> Iterator[torch.Tensor]:
    """The tokens in documents."""
    tokens = np.load(file, mmap_mode="r")
    for first in range(0, len(tokens), DOCUMENT_TOKENS):
        yield torch.from_numpy(tokens[first : first + DOCUMENT_TOKENS].astype(np.int32))


def peak_mib() -> int:
    """Largest memory of this process; getrusage would count that of its parent."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    """Print one JSON object."""
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    if not (folder / "litdata").exists():
        optimize(
            fn=documents,
            inputs=[str(folder / "tokens.npy")],
            output_dir=str(folder / "litdata"),
            chunk_size=(CONTEXT + 1) * 2000,
            num_workers=1,
            item_loader=TokensLoader(),
        )
    dataset = StreamingDataset(
        str(folder / "litdata"), item_loader=TokensLoader(CONTEXT + 1), shuffle=True, drop_last=True
    )
    loader = StreamingDataLoader(dataset, batch_size=SEQUENCES, num_workers=0)
    started, total, batches = time.process_time(), 0, 0
    for _ in range(epochs):
        for batch in loader:
            total += int(batch[0, 0])
            batches += 1
    spent = time.process_time() - started
    print(json.dumps({"seconds": spent, "batches": batches, "rss_mib": peak_mib()}))


if __name__ == "__main__":
    main()
