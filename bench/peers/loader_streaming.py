"""mosaicml-streaming's loader over the tokens of `tokens.npy`, one sample a sequence.

loader_streaming.py FOLDER EPOCHS
"""

import json
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
from torch.utils.data import DataLoader, Dataset

SEQUENCES, CONTEXT = 8, 2048

# its part for pictures asks for torchvision, whose wheels need another build of torch
for name in ("torchvision", "torchvision.datasets", "torchvision.transforms",
             "torchvision.transforms.functional"):  # fmt: skip
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__spec__ = ModuleSpec(name, None)
sys.modules["torchvision.datasets"].VisionDataset = Dataset  # type: ignore[attr-defined]
sys.modules["torchvision.transforms.functional"].to_tensor = None  # type: ignore[attr-defined]

from streaming import MDSWriter, StreamingDataset  # noqa: E402


def peak_mib() -> int:
    """Largest memory of this process; getrusage would count that of its parent."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


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
    started, total, batches = time.process_time(), 0, 0
    for _ in range(epochs):
        for batch in loader:
            total += int(batch[0, 0])
            batches += 1
    spent = time.process_time() - started
    print(json.dumps({"seconds": spent, "batches": batches, "rss_mib": peak_mib()}))


if __name__ == "__main__":
    main()
