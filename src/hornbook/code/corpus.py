"""Stage `code_corpus`: files and questions that are licensed, sound, and written by people."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table, write_json
from hornbook.code.config import Corpus
from hornbook.code.inputs import Inputs, inputs
from hornbook.code.judging import judge_shard
from hornbook.code.questions import questions
from hornbook.compute import Done, map_shards
from hornbook.errors import InputError
from hornbook.stage import Run
from hornbook.tally import number_parts, summed, without_repeats, write_examples

if TYPE_CHECKING:
    import pandas as pd

EXPECTED_ROWS = 1_000_000  # that the expectations look at, spread over the corpus


def code_corpus(run: Run) -> None:
    """Read, judge, drop exact repeats over all shards, write the rest."""
    settings = run.section("code.corpus", Corpus)
    found = inputs(run.input(run.section("data.code", str)), settings)
    judged = map_shards(run, "judging", partial(judge_shard, settings=settings), found.sources)
    judged += questions(run, found.dumps, settings)
    counts = summed(judged, "dropped")
    if not any(one.facts["kept"] for one in judged):
        raise InputError(
            f"code_corpus: none of {sum(counts.values())} files and questions passed the rules: "
            f"{counts}{_remedy(counts)}"
        )
    written = without_repeats(run, judged, settings.dropped_examples)
    number_parts(written, run.out)
    write_examples(run.out / "dropped.parquet", [*judged, *written], settings.dropped_examples)
    write_json(run.out / "inputs.json", _record(found))
    _conclude(run, [*judged, *written])
    run.expect("documents", documents(run.out), settings.expectations, key="id")


def _remedy(dropped: Mapping[str, int]) -> str:
    """What to set where licences are why nothing is left."""
    if dropped.get("no_licence"):
        return "; '+code.corpus.folder_licences={FOLDER/: MIT}' says what a folder's licence is"
    return "; code.corpus.licences lists those that are allowed" if dropped.get("licence") else ""


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
    totals, dropped = summed(done, "totals"), summed(done, "dropped")
    rows = sum(one.facts["kept"] for one in done)
    run.summary(
        rows=rows,
        documents=rows,
        lines=totals["lines"],
        words=totals["words"],
        masked=totals["masked"],
        dropped=dropped,
        dropped_words=summed(done, "dropped_words"),
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
