"""What is told of documents without their texts."""

import pyarrow as pa
import pytest

from hornbook.artifacts import write_table
from hornbook.clean.documents import document_frame


@pytest.mark.parametrize(
    ("text", "count"), [("two words", 2), ("\n  three  short\twords \n", 3), ("one\n", 1)]
)
def test_words_are_what_white_space_separates(tmp_path, text, count):
    rows = [{"id": "1", "source": "a", "text": text}, {"id": "2", "source": "b", "text": "x y"}]
    for number, row in enumerate(rows):
        write_table(tmp_path / f"part-{number:05d}.parquet", pa.Table.from_pylist([row]))
    frame = document_frame(tmp_path)
    assert list(frame["words"]) == [count, 2]
    assert list(frame["characters"]) == [len(text), 3]
    assert "text" not in frame
