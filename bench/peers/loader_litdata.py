"""litdata's loader for language models, as its guide has it, over the tokens of `tokens.npy`.

loader_litdata.py FOLDER EPOCHS
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from litdata import StreamingDataLoader, StreamingDataset, TokensLoader, optimize
from loader_timing import CONTEXT, SEQUENCES, measure

DOCUMENT_TOKENS = 1000


def documents(file: str) -> Iterator[torch.Tensor]:
    """The tokens in documents."""
    tokens = np.load(file, mmap_mode="r")
    for first in range(0, len(tokens), DOCUMENT_TOKENS):
        yield torch.from_numpy(tokens[first : first + DOCUMENT_TOKENS].astype(np.int32))


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
    measure(loader, epochs)


if __name__ == "__main__":
    main()
