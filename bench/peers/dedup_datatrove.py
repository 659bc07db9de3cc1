"""datatrove's MinHash in four stages: FOLDER with in/*.jsonl; prints the CPU seconds.

14 buckets of 8 hashes over 5-grams, as FineWeb; writes the ids that are left to FOLDER/left.json.
Runs in the environment of its peer.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from loguru import logger


def main(folder: Path) -> None:
    """Sign, bucket, cluster, filter."""
    logger.remove()
    config = MinhashConfig(
        n_grams=5,
        num_buckets=14,
        hashes_per_bucket=8,
        hash_config=HashConfig(precision=64),
    )
    places = {name: str(folder / name) for name in ("in", "signed", "buckets", "gone", "left")}
    reader = JsonlReader(places["in"], doc_progress=False)
    stages = [
        [reader, MinhashDedupSignature(places["signed"], config=config)],
        [MinhashDedupBuckets(places["signed"], places["buckets"], config=config)],
        [MinhashDedupCluster(places["buckets"], places["gone"], config=config)],
        [
            reader,
            MinhashDedupFilter(places["gone"]),
            JsonlWriter(places["left"], compression=None),
        ],
    ]
    started = time.process_time()
    for number, stage in enumerate(stages):
        tasks = config.num_buckets if number == 1 else 1
        # one process: a task after the other
        LocalPipelineExecutor(
            stage, tasks=tasks, workers=1, logging_dir=str(folder / "logs" / str(number))
        ).run()
    seconds = time.process_time() - started
    lines = [
        line
        for file in sorted((folder / "left").glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    left = [json.loads(line)["id"] for line in lines]
    (folder / "left.json").write_text(json.dumps(left), "utf-8")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
