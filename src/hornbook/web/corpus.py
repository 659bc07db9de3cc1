"""Stage `web_corpus`: main text of pages that pass language, quality and safety rules."""

from collections.abc import Sequence
from functools import partial

from hornbook.artifacts import read_table, write_json
from hornbook.compute import Done, map_shards
from hornbook.errors import InputError
from hornbook.stage import Run
from hornbook.tally import REPEAT, number_parts, summed, without_repeats, write_examples
from hornbook.web.config import Corpus
from hornbook.web.inputs import web_files, web_shards
from hornbook.web.pages import read_pages
from hornbook.web.rules import REASONS

BROKEN = (
    "truncated_archive", "zip_bomb", "broken_record", "truncated_record", "redirect", "not_ok",
    "not_html", "not_a_file", "unsafe_name", "too_large", "pickle_in_metadata", "empty_body",
    "no_text", "broken_text",
)  # fmt: skip
ORDER = (*BROKEN, "unreadable_page", "no_main_text", "language", *REASONS, REPEAT)


def web_corpus(run: Run) -> None:
    """Read every file, judge every page, drop exact repeats, keep the rest."""
    settings = run.section("web.corpus", Corpus)
    place = run.input(run.section("data.web", str))
    files = web_files(place, settings.include, "web.corpus.include")
    read = map_shards(
        run,
        f"extracting {len(files)} files",
        partial(read_pages, settings=settings),
        web_shards(files, settings.shard_bytes),
    )
    if not any(done.facts["kept"] for done in read):
        raise InputError(
            f"web_corpus: no page in {len(files)} files passed the rules: "
            f"{summed(read, 'dropped')}; docs/web.md says what each means; is data.web the right "
            f"place?"
        )
    written = without_repeats(run, read, settings.examples)
    number_parts(written, run.out)
    write_examples(run.out / "dropped.parquet", [*read, *written], settings.examples, ORDER.index)
    write_json(
        run.out / "inputs.json",
        [one for done in read for one in done.facts["inputs"] if one["version"]],
    )
    _conclude(run, [*read, *written], files=len(files))
    frame = read_table(run.out, ["id", "source", "words", "language"]).to_pandas()
    run.expect("documents", frame, settings.expectations, key="id")


def _conclude(run: Run, done: Sequence[Done], *, files: int) -> None:
    totals, dropped = summed(done, "totals"), summed(done, "dropped")
    rows = sum(one.facts["kept"] for one in done)
    order = [reason for reason in ORDER if dropped.get(reason)]
    assert set(order) == set(dropped), sorted(dropped)
    run.summary(
        rows=rows,
        documents=rows,
        files=files,
        words=totals["words"],
        masked=totals["masked"],
        dropped=dropped,
        dropped_words=summed(done, "dropped_words"),
        reasons=order,
    )
