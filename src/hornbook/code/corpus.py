"""Stage `code_corpus`: files and questions that are licensed, sound, and written by people."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table, write_json, write_table
from hornbook.code.config import Corpus
from hornbook.code.inputs import Inputs, inputs
from hornbook.code.judging import judge_shard
from hornbook.code.pieces import EXAMPLES, EXCERPT, examples, parts, repeats
from hornbook.code.questions import questions
from hornbook.compute import Done, Place, Shard, map_shards
from hornbook.errors import InputError
from hornbook.stage import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

REPEAT = "exact_duplicate"
EXPECTED_ROWS = 1_000_000  # that the expectations look at, spread over the corpus


def code_corpus(run: Run) -> None:
    """Read, judge, drop exact repeats over all shards, write the rest."""
    settings = run.section("code.corpus", Corpus)
    found = inputs(run.input(run.section("data.code", str)), settings)
    judged = map_shards(run, "judging", partial(judge_shard, settings=settings), found.sources)
    judged += questions(run, found.dumps, settings)
    counts = _counts(judged, "dropped")
    if not any(one.facts["kept"] for one in judged):
        raise InputError(
            f"code_corpus: none of {sum(counts.values())} files and questions passed the rules: "
            f"{counts}"
        )
    written = without_repeats(run, judged, settings)
    number_parts(written, run.out)
    _write_examples(run.out / "dropped.parquet", [*judged, *written], settings.dropped_examples)
    write_json(run.out / "inputs.json", _record(found))
    _conclude(run, [*judged, *written])
    run.expect("documents", documents(run.out), settings.expectations, key="id")


def without_repeats(run: Run, judged: Sequence[Done], settings: Corpus) -> list[Done]:
    """The documents of each shard but those whose text came before, in the order of the shards."""
    what = [
        Shard(f"{number:06d}", (parts(one), again), sum(f.stat().st_size for f in parts(one)))
        for number, (one, again) in enumerate(zip(judged, repeats(judged), strict=True))
    ]
    return map_shards(run, "dropping repeats", partial(write_rest, settings=settings), what)


def write_rest(
    what: "tuple[list[Path], np.ndarray]", place: Place, *, settings: Corpus
) -> dict[str, Any]:
    """The parts of a shard without the rows that came before; a part without any is as it was."""
    files, again = what
    taken: list[str] = []
    lost: list[dict[str, Any]] = []
    at = 0
    for file in files:
        table = read_table(file) if again.any() else None
        rows = read_table(file, ["id"]).num_rows if table is None else table.num_rows
        is_again = again[at : at + rows]
        at += rows
        out = place.folder / file.name
        if table is None or not is_again.any():
            out.hardlink_to(file)
        else:
            lost += (
                table.filter(is_again)
                .select(["id", "source", "text", "words", "lines", "masked"])
                .to_pylist()
            )
            table = table.filter(~is_again)
            if table.num_rows:
                write_table(out, table)
        if out.exists():
            taken.append(file.name)
        place.advance(file.stat().st_size)
    rows = [
        {
            "id": row["id"],
            "source": row["source"],
            "reason": REPEAT,
            "excerpt": row["text"][:EXCERPT],
        }
        for row in lost[: settings.dropped_examples]
    ]
    write_json(place.folder / EXAMPLES, rows)
    words = sum(row["words"] for row in lost)
    return {
        "kept": -len(lost),
        "files": taken,
        "totals": {name: -sum(row[name] for row in lost) for name in ("lines", "words", "masked")},
        "dropped": {REPEAT: len(lost)} if lost else {},
        "dropped_words": {REPEAT: words} if lost else {},
    }


def number_parts(written: Sequence[Done], out: Path) -> None:
    """All parts as parts of one corpus, in the order of the shards."""
    files = [one.folder / name for one in written for name in one.facts["files"]]
    for number, file in enumerate(files):
        (out / f"part-{number:05d}.parquet").hardlink_to(file)


def _counts(done: Sequence[Done], key: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in done:
        total.update(one.facts[key])
    return dict(sorted(total.items()))


def _write_examples(file: Path, done: Sequence[Done], most: int) -> None:
    import pyarrow as pa

    columns = pa.schema([(name, pa.string()) for name in ("id", "source", "reason", "excerpt")])
    write_table(file, pa.Table.from_pylist(examples(done, most), columns))


def _record(found: Inputs) -> dict[str, Any]:
    """What was read that no dependency of the stage holds: packages, and files from far away."""
    return {
        "installed": [
            {
                "name": one.name,
                "version": one.version,
                "licence": one.licence,
                "files": len(one.files),
            }
            for one in found.packages
        ],
        "remote": [one._asdict() for one in found.remote],
    }


def _conclude(run: Run, done: Sequence[Done]) -> None:
    totals, dropped = _counts(done, "totals"), _counts(done, "dropped")
    rows = sum(one.facts["kept"] for one in done)
    run.summary(
        rows=rows,
        documents=rows,
        lines=totals["lines"],
        words=totals["words"],
        masked=totals["masked"],
        dropped=dropped,
        dropped_words=_counts(done, "dropped_words"),
    )


def documents(folder: Path) -> "pd.DataFrame":
    """The columns that expectations look at, of every n-th document of a large corpus."""
    import pandas as pd

    from hornbook.artifacts import shards

    files = shards(folder)
    frames = [
        read_table(file, ["id", "source", "licence", "kind", "lines", "words"]).to_pandas()
        for file in files
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame.iloc[:: max(1, -(-len(frame) // EXPECTED_ROWS))]
