"""What there is to read, as shards: groups of source files, tables, dumps of questions."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hornbook.code.config import Corpus
from hornbook.code.files import File, licence_of, walk
from hornbook.code.installed import Package, packages
from hornbook.code.posts import NEEDED, renamed
from hornbook.code.questions import Part
from hornbook.code.tables import require_columns
from hornbook.compute import Shard
from hornbook.errors import InputError
from hornbook.sources import LIST, InputFile, input_files

if TYPE_CHECKING:
    import pyarrow.parquet as pq

JSON_LINES = (".jsonl", ".jsonl.gz")
PARQUET = ".parquet"
DUMPS = (".xml", ".xml.gz")
SOURCE = ".py"


class Licensed(NamedTuple):
    """A source file with the licence of where it lies."""

    file: File
    licence: str


class Table(NamedTuple):
    """Rows of a table: all, or some row groups of a parquet file."""

    file: InputFile
    groups: tuple[int, ...] | None


class Inputs(NamedTuple):
    """All that a run reads."""

    sources: list[Shard]
    dumps: list[Shard]
    packages: list[Package]
    remote: list[InputFile]


def inputs(place: Path, settings: Corpus) -> Inputs:
    """The shards of the inputs at `place`, in an order that only their names decide.

    Raises:
        InputError: Nothing matches, or a table has no text or licence.
        ConfigError: A distribution that conf names is not installed.
    """
    found = [File(place.name, str(place), place.stat().st_size)] if place.is_file() else [
        *walk(place, [*settings.include, f"**/*{LIST}"])
    ]  # fmt: skip
    loose = [Licensed(one, licence_of(one.name, settings.folder_licences))
             for one in found if one.fault or one.name.endswith(SOURCE)]  # fmt: skip
    others = [one for one in found if not one.fault and not one.name.endswith(SOURCE)]
    here = [
        InputFile(one.name, one.path, one.num_bytes, "")
        for one in others
        if not one.name.endswith(LIST)
    ]
    listed = [file for one in others if one.name.endswith(LIST)
              for file in input_files(Path(one.path), [], _is_table)]  # fmt: skip
    taken = list(packages(settings.installed))
    loose += [Licensed(file, package.licence) for package in taken for file in package.files]
    tables: list[Shard] = []
    dumps: list[Shard] = []
    for number, file in enumerate([*here, *listed]):
        for start, (what, num_bytes) in enumerate(_of_file(file, settings)):
            shard = Shard(f"{number:05d}-{start:05d}", what, num_bytes)
            (dumps if isinstance(what, Part) else tables).append(shard)
    if not (loose or tables or dumps):
        raise InputError(
            f"data.code={place}: nothing matches code.corpus.include={settings.include}; "
            f"for the sample run: dvc pull data.dvc"
        )
    remote = [file for file in listed if file.version or file.is_remote]
    return Inputs([*_groups(loose, settings.shard_bytes), *tables], dumps, taken, remote)


def _is_table(name: str) -> bool:
    return name.endswith((*JSON_LINES, PARQUET, *DUMPS))


def _groups(files: Sequence[Licensed], num_bytes: int) -> Iterator[Shard]:
    """Source files in their order, in groups of about so many bytes."""
    group: list[Licensed] = []
    size = number = 0
    for one in files:
        group.append(one)
        size += one.file.num_bytes
        if size >= num_bytes:
            yield Shard(f"files-{number:05d}", group, size)
            group, size, number = [], 0, number + 1
    if group:
        yield Shard(f"files-{number:05d}", group, size)


def _of_file(file: InputFile, settings: Corpus) -> Iterator[tuple[Table | Part, int]]:
    """The parts of a table or dump, each with its bytes."""
    site = _site(file.name)
    if file.name.endswith(PARQUET):
        yield from _of_parquet(file, site, settings.shard_bytes)
    elif file.name.endswith(DUMPS):
        is_plain = file.name.endswith(".xml") and not file.is_remote
        step = settings.shard_bytes if is_plain else max(file.num_bytes, 1)
        for start in range(0, max(file.num_bytes, 1), step):
            end = min(start + step, file.num_bytes)
            yield Part(site, file, start, end if is_plain else None), end - start
    else:
        yield Table(file, None), file.num_bytes


def _site(name: str) -> str:
    """What a dump is called in the record: its folder, or the start of its own name."""
    folder, _, own = name.rpartition("/")
    # a table may be in many files, which are one site; an XML file is one site
    start = "" if own.endswith(PARQUET) else re.sub(r"[-_.]?Posts.*$", "", own)
    return "/".join(part for part in (folder, start) if part) or "posts"


def _of_parquet(file: InputFile, site: str, num_bytes: int) -> Iterator[tuple[Table | Part, int]]:
    """Row groups together up to `num_bytes`; a remote file whole: its schema is not known yet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.is_remote:
        yield Table(file, None), file.num_bytes
        return
    try:
        with pq.ParquetFile(file.place) as opened:
            columns, ranges = opened.schema_arrow.names, list(_ranges(opened, num_bytes))
    except (OSError, pa.ArrowException):
        yield Table(file, None), file.num_bytes  # whoever reads it counts it as damaged
        return
    is_dump = set(renamed(columns).values()) >= NEEDED
    if not is_dump:
        require_columns(file.place, columns)
    for start, end, size in ranges:
        if is_dump:
            yield Part(site, file, start, end), size
        else:
            yield Table(file, tuple(range(start, end))), size


def _ranges(file: "pq.ParquetFile", num_bytes: int) -> Iterator[tuple[int, int, int]]:
    start = size = 0
    for number in range(file.num_row_groups):
        size += file.metadata.row_group(number).total_byte_size
        if size >= num_bytes or number == file.num_row_groups - 1:
            yield start, number + 1, size
            start, size = number + 1, 0
