"""Documents whose score reaches the threshold: nothing is computed but the comparison."""

from functools import partial
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_table, shards, write_table
from hornbook.classifier.config import Filter
from hornbook.compute import Place, Shard, map_shards
from hornbook.errors import ArtifactError, InputError
from hornbook.stage import Run


def filter_corpus(run: Run, corpus: Path, scores: Path, settings: Filter) -> None:
    """`part-k.parquet` with what is kept of each part of the corpus, and a column `score`.

    Raises:
        ArtifactError: The scores are not those of this corpus.
        InputError: Nothing reaches the threshold.
    """
    parts = [Shard(part.stem, part, part.stat().st_size) for part in shards(corpus)]
    done = map_shards(run, "filtering", partial(_filter, scores, settings.threshold), parts)
    total, kept = (sum(one.facts[name] for one in done) for name in ("rows", "kept"))
    if not kept:
        highest = max(one.facts["highest"] for one in done)
        raise InputError(
            f"{run.name}: no document of {total} reaches {run.family.partition('_')[0]}.filter."
            f"threshold={settings.threshold}; the highest score is {highest}"
        )
    for one in done:
        for file in one.folder.glob("part-*.parquet"):
            (run.out / file.name).hardlink_to(file)  # the step's own stay until the stage ends
    frame = read_table(run.out, ["id", "score"]).to_pandas()
    run.expect("documents", frame, settings.expectations, key="id")
    run.summary(
        rows=kept, documents=kept, dropped={"below_threshold": total - kept},
        words=sum(one.facts["words"] for one in done), threshold=settings.threshold,
    )  # fmt: skip


def _filter(scores: Path, threshold: float, part: Path, place: Place) -> dict[str, Any]:
    """Filter one shard."""
    import numpy as np

    documents, known = read_table(part), read_table(scores / part.name, ["id", "score"])
    if not documents.column("id").equals(known.column("id")):
        raise ArtifactError(
            f"{scores / part.name} does not hold the documents of {part} in their order; "
            f"run: dvc repro {scores.parent.name}_scores"
        )
    place.advance(part.stat().st_size // 2)
    values = known.column("score").to_numpy()
    documents = documents.append_column("score", known.column("score"))
    kept = documents.take(np.flatnonzero(values >= threshold))
    write_table(place.folder / part.name, kept)
    return {
        "rows": documents.num_rows,
        "kept": kept.num_rows,
        "words": sum(len(text.split()) for text in kept.column("text").to_pylist()),
        "highest": float(values.max(initial=0)),
    }
