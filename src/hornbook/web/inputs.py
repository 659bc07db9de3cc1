"""The pages of a crawl: which files there are, and the pages of each, wherever it lies."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hornbook.compute import Shard
from hornbook.errors import InputError
from hornbook.sources import InputFile, fetched, grouped, input_files
from hornbook.web.archives import Page, Reading
from hornbook.web.readers import reader_of


def web_files(place: Path, include: Sequence[str], setting: str) -> list[InputFile]:
    """The input files at `data.web`, sorted; `setting` is the conf key of `include`.

    Raises:
        InputError: There is none that can be read.
    """
    files = input_files(place, include, lambda name: reader_of(name) is not None)
    if not files:
        raise InputError(
            f"data.web={place}: no WARC, ARC, WET, HTML, tar, parquet, JSONL or *.sources.yaml "
            f"matches {setting}={list(include)}; for the sample run: dvc pull data.dvc"
        )
    return files


def web_shards(files: Sequence[InputFile], num_bytes: int) -> list[Shard]:
    """Small files together, a large one alone."""
    return [
        Shard(f"{number:06d}", group, sum(file.num_bytes for file in group))
        for number, group in enumerate(grouped(files, num_bytes))
    ]


def pages_of(file: InputFile, folder: Path, reading: Reading) -> Iterator[Page]:
    """The pages of a file; a remote one is copied below `folder` meanwhile."""
    read = reader_of(file.name)
    assert read is not None, file
    with fetched(file, folder) as path:
        for page in read(path, reading):
            # one file, one page: it is called by its place, of which there is one
            source = file.name if page.source == path.name else page.source
            yield page._replace(source=readable(source))


def readable(name: str) -> str:
    """A name that can be written as UTF-8; what is no character is shown by its number."""
    return name.encode("utf-8", "backslashreplace").decode()
