"""`hornbook sample build`: write the sample inputs again."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hornbook.artifacts import write_bytes, write_json, write_text
from hornbook.sample.crawl import files
from hornbook.sample.forms import forms
from hornbook.sample.modules import VERSION, copy_library
from hornbook.sample.programs import write_tables
from hornbook.sample.questions import write_questions
from hornbook.sample.sentences import sentences
from hornbook.teacher.micro import write_items

PAGES = 3600
SEED = 0
README = f"""# Sample inputs

Tracked by `data.dvc`; `docs/data.md` says what each folder holds and how it was made.

- `web/`: a small crawl of pages written by a generator of ours, with the faults that crawls have,
  and some in other forms: ARC, FineWeb's table, RefinedWeb's lines through a list (CC0-1.0); people, places, firms and addresses in it are invented
- `code/cpython-{VERSION}/`: a fixed subset of the Python standard library, with its licence
  (PSF-2.0) and checksums
- `code/tables/`: small programs of ours in the schemas of The Stack, with the faults that such
  tables have (CC0-1.0; the licences that the rows state are there to be read)
- `code/questions/`: questions and answers of ours in the schema of a Stack Exchange dump (CC0-1.0)
- `benchmarks/micro/`: micro-suites over the facts of the procedural teacher (CC0-1.0)
- `toxigen/sentences.json`: sentences for the safety score, written by us (CC0-1.0); half of them
  state prejudice, because the score compares them with the other half
"""


def build(out: Path, *, pages: int = PAGES, seed: int = SEED) -> None:
    """All sample inputs below `out`; the same arguments give the same bytes.

    Raises:
        InputError: This Python is not the one whose standard library the sample holds.
    """
    copy_library(out / "code")
    write_tables(out / "code" / "tables")
    write_questions(out / "code" / "questions", seed)
    for name, content in (files(pages, seed) | forms(seed)).items():
        write_bytes(out / "web" / name, content)
    write_json(out / "toxigen" / "sentences.json", sentences())
    write_items(out / "benchmarks" / "micro", seed)
    write_text(out / "README.md", README)


def main(arguments: Sequence[str]) -> int:
    """`hornbook sample build [--out FOLDER]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook sample",
        description="Write the sample inputs again; then: dvc add data && dvc push -r sample",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("build", help="write them")
    one.add_argument("--out", type=Path, default=Path("data"), help="default: data")
    options = parser.parse_args(list(arguments))
    build(options.out)
    print(f"sample inputs written to {options.out}")  # noqa: T201
    return 0
