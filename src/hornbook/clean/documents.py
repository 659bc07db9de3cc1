"""A corpus copied without some of its documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table, shards, write_table
from hornbook.compute import Place, Shard, map_shards
from hornbook.errors import ArtifactError
from hornbook.stage import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def write_without_rows(
    run: Run, folder: Path, gone: "Sequence[NDArray[np.int64]]", step: str = "writing"
) -> int:
    """Write each part of `folder` as a part of the same name, all columns; how many rows are left.

    `gone` holds for each part the numbers of the rows that are left out.
    """
    what = [
        Shard(file.stem, (str(file), rows.tolist()), file.stat().st_size)
        for file, rows in zip(shards(folder), gone, strict=True)
    ]
    written = map_shards(run, step, write_part, what)
    for done in written:
        (file,) = shards(done.folder)
        (run.out / file.name).hardlink_to(file)  # the step's own files stay until the stage ends
    return sum(done.facts["rows"] for done in written)


def write_part(what: tuple[str, list[int]], place: Place) -> dict[str, Any]:
    """One part without the rows of some numbers."""
    import numpy as np

    file, gone = Path(what[0]), what[1]
    table = read_table(file)
    is_left = np.ones(table.num_rows, dtype=bool)
    is_left[np.array(gone, dtype=np.int64)] = False
    write_table(place.folder / file.name, table.filter(is_left))
    place.advance(file.stat().st_size)
    return {"rows": int(is_left.sum())}


def count_rows(file: Path) -> int:
    """Rows of a parquet file, from its footer.

    Raises:
        ArtifactError: It cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file).num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(
            f"{file} cannot be read ({error}); restore it with dvc checkout"
        ) from error


def document_frame(folder: Path) -> "pd.DataFrame":
    """Id, source, length in characters and in words of each document, without the texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts: list[pa.Table] = []
    for file in shards(folder):  # so that the texts of one part are in memory, not of all
        table = read_table(file, ["id", "source", "text"])
        texts = table.column("text")
        lengths = pc.call_function("utf8_length", [texts])
        trimmed = pc.call_function("utf8_trim_whitespace", [texts])  # else its ends count as words
        split = pc.call_function("utf8_split_whitespace", [trimmed])
        counts = pc.call_function("list_value_length", [split])
        counted = table.drop_columns(["text"]).append_column("characters", lengths)
        parts.append(counted.append_column("words", counts))
    return pa.concat_tables(parts).to_pandas()
