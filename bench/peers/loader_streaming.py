"""mosaicml-streaming's loader over the tokens of `tokens.npy`, one sample a sequence.

loader_streaming.py FOLDER EPOCHS
"""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
from loader_timing import CONTEXT, SEQUENCES, measure
from torch.utils.data import DataLoader, Dataset

# its part for pictures asks for torchvision, whose wheels need another build of torch
for name in ("torchvision", "torchvision.datasets", "torchvision.transforms",
             "torchvision.transforms.functional"):  # fmt: skip
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__spec__ = ModuleSpec(name, None)
sys.modules["torchvision.datasets"].VisionDataset = Dataset  # type: ignore[attr-defined]
sys.modules["torchvision.transforms.functional"].to_tensor = None  # type: ignore[attr-defined]

from streaming import MDSWriter, StreamingDataset  # noqa: E402


def main() -> None:
    """Print one JSON object."""
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    if not (folder / "mds").exists():
        tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        with MDSWriter(out=str(folder / "mds"), columns={"ids": "ndarray:uint16"}) as writer:
            for first in range(0, len(tokens) - CONTEXT, CONTEXT):
                writer.write({"ids": np.array(tokens[first : first + CONTEXT + 1])})
    dataset = StreamingDataset(local=str(folder / "mds"), shuffle=True, batch_size=SEQUENCES)
    loader = DataLoader(dataset, batch_size=SEQUENCES, num_workers=0, drop_last=True,
                        collate_fn=lambda rows: np.stack([row["ids"] for row in rows]))  # fmt: skip
    measure(loader, epochs)


if __name__ == "__main__":
    main()
