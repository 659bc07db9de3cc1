"""A score for every document: a map over the shards of a corpus."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.artifacts import read_table, shards, write_table
from hornbook.classifier.config import Scores
from hornbook.classifier.model import Classifier, load
from hornbook.compute import Place, Shard, map_shards
from hornbook.stage import Run

ROWS_AT_ONCE = 1024
EDGES = np.arange(0, 5.5, 0.5)


def score_corpus(
    run: Run, corpus: Path, classifier: Path, settings: Scores, *, encoder: Path | None = None
) -> None:
    """`part-k.parquet` with id, score and probability for each `part-k.parquet` of the corpus."""
    parts = [Shard(part.stem, part, part.stat().st_size) for part in shards(corpus)]
    done = map_shards(run, "scoring", partial(_score, classifier, encoder), parts)
    for one in done:
        for file in one.folder.glob("part-*.parquet"):
            (run.out / file.name).hardlink_to(file)  # the step's own stay until the stage ends
    frame = read_table(run.out, ["id", "score", "probability"]).to_pandas()
    run.expect("scores", frame, settings.expectations, key="id")
    histogram = np.sum([one.facts["histogram"] for one in done], axis=0)
    run.summary(
        rows=sum(one.facts["rows"] for one in done),
        mean_score=round(float(frame["score"].mean()), 4) if len(frame) else None,
        histogram_by_half=histogram.tolist(),
    )


def _score(classifier: Path, encoder: Path | None, part: Path, place: Place) -> dict[str, Any]:
    """Score one shard; its texts are read by batches."""
    model = load(classifier, encoder)
    table, counts = scored(model, part, place)
    write_table(place.folder / part.name, table)
    return {"rows": table.num_rows, "histogram": counts}


def scored(model: Classifier, part: Path, place: Place) -> tuple[Any, list[int]]:
    """Ids with score and probability, and how many texts each half point has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [("id", pa.string()), ("score", pa.float64()), ("probability", pa.float64())]
    )
    batches: list[pa.RecordBatch] = []
    counts = np.zeros(len(EDGES) - 1, dtype=np.int64)
    with pq.ParquetFile(part) as file:
        rows = max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["id", "text"]):
            found = model.predict(batch.column("text").to_pylist())
            counts += np.histogram(found.score, bins=EDGES)[0]
            columns = [batch.column("id"), pa.array(found.score), pa.array(found.probability)]
            batches.append(pa.record_batch(columns, schema=schema))
            place.advance(part.stat().st_size * batch.num_rows // rows)
    return pa.Table.from_batches(batches, schema), counts.tolist()
