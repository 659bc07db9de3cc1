"""The parts of a clean corpus: what their footers say, and texts spread evenly over them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hornbook.artifacts import read_table, shards
from hornbook.errors import ArtifactError


class Part(NamedTuple):
    """A parquet file of documents."""

    file: str
    rows: int
    text_bytes: int  # of the column, as parquet holds it before compression


def parts(folder: Path) -> list[Part]:
    """The parts of a corpus in order, from their footers.

    Raises:
        ArtifactError: There is none, or one cannot be read.
    """
    return [_part(file) for file in shards(folder)]


def _part(file: Path) -> Part:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(
            f"{file} cannot be read ({error}); restore it with dvc checkout"
        ) from error
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    columns = [group.column(place) for group in groups for place in range(group.num_columns)]
    texts = [one for one in columns if one.path_in_schema == "text"]
    return Part(str(file), footer.num_rows, sum(one.total_uncompressed_size for one in texts))


def spread_texts(found: list[Part], stride: int) -> Iterator[str]:
    """Every `stride`-th text of a corpus, with one part in memory at a time."""
    first = 0
    for part in found:
        skipped = -first % stride
        first += part.rows
        if skipped < part.rows:
            yield from (
                read_table(Path(part.file), ["text"]).column("text").to_pylist()[skipped::stride]
            )
