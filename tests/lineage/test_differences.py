"""The first place where two files differ, and how far numbers are from each other."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from hornbook.lineage.differences import Difference, compare_files, differences, distance

ROWS = {"id": ["a", "b", "c"], "score": [1.0, -4.0, 2.0], "words": [3, 4, 5]}


@pytest.fixture
def pair(tmp_path):
    """A function that writes a file twice by a writer and compares the two."""

    def compare(name, writer, one, other, tolerance=0.0):
        paths = [tmp_path / kind / name for kind in ("recorded", "remade")]
        for path, content in zip(paths, (one, other), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            writer(path, content)
        return compare_files({name: paths[0]}, {name: paths[1]}, tolerance)

    return compare


def write_table(path, columns):
    pq.write_table(pa.table(columns), path)


def write_json(path, value):
    path.write_text(json.dumps(value))


def write_tensors(path, tensors):
    save_file(tensors, path)


def write_bytes(path, content):
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "writer", "one", "other", "place", "values"),
    [
        ("a.parquet", write_table, ROWS, {**ROWS, "id": ["a", "B", "c"]},
         "row 1, column id", ('"b"', '"B"')),
        ("a.parquet", write_table, ROWS, {**ROWS, "words": [3, 4, 6]},
         "row 2, column words", ("5", "6")),
        ("a.parquet", write_table, ROWS, {k: v[:2] for k, v in ROWS.items()},
         "rows", ("3 rows", "2 rows")),
        ("a.parquet", write_table, ROWS, {k: v for k, v in ROWS.items() if k != "words"},
         "columns", None),
        ("a.safetensors", write_tensors, {"w": torch.arange(6).view(2, 3)},
         {"w": torch.tensor([[0, 1, 2], [3, 9, 5]])}, "tensor w[1, 1]", ("4", "9")),
        ("a.safetensors", write_tensors, {"w": torch.zeros(2)}, {"v": torch.zeros(2)},
         "tensor v", ("missing", "there")),
        ("a.safetensors", write_tensors, {"w": torch.zeros(2)}, {"w": torch.zeros(3)},
         "tensor w", ("torch.float32 [2]", "torch.float32 [3]")),
        ("a.json", write_json, {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b", ("1", "2")),
        ("a.json", write_json, {"a": 1, "c": 2}, {"a": 1}, "c", ("there", "missing")),
        ("a.json", write_json, [1, 2], [1], "the list", ("2 entries", "1 entries")),
        ("a.json", write_json, {"a": True}, {"a": 1}, "a", ("true", "1")),
        ("a.txt", write_bytes, b"one\ntwo\n", b"one\n2\n", "line 2", ('"two"', '"2"')),
        ("a.csv", write_bytes, b"x,y\n1,2\n", b"x,y\n1,3\n", "line 2, column y", ("2", "3")),
        ("a.csv", write_bytes, b"x\n1\n2\n", b"x\n1\n", "lines", ("3 lines", "2 lines")),
        ("a.bin", write_bytes, b"\0" * 2_000_000 + b"a", b"\0" * 2_000_000 + b"b",
         "byte 2,000,000", ("0x61", "0x62")),
        ("a.bin", write_bytes, b"ab", b"abc", "byte 2", ("the end", "0x63")),
        # the same values, written otherwise
        ("a.json", write_bytes, b'{"a": 1}', b'{"a":1}', "byte 5", ("0x20", "0x31")),
        # half a file
        ("a.json", write_bytes, b'{"a": 1}', b'{"a": ', "byte 6 (JSONDecodeError)", None),
        ("a.parquet", write_bytes, b"PAR1", b"PAR2", "byte 3 (ArrowInvalid)", None),
    ],
)  # fmt: skip
def test_the_first_place_is_named(pair, name, writer, one, other, place, values):
    found = pair(name, writer, one, other, tolerance=0.5)
    assert (found.differing, found.is_within) == ((name,), False)
    assert found.first is not None
    assert (found.first.file, found.first.place) == (name, place)
    if values:
        assert (found.first.recorded, found.first.remade) == values


def test_equal_files_have_no_difference(pair):
    found = pair("a.parquet", write_table, ROWS, ROWS)
    assert (found.files, found.differing, found.first, found.is_within) == (1, (), None, True)


def test_a_file_that_only_one_has_differs_as_a_whole(tmp_path):
    file = tmp_path / "a"
    file.write_text("x")
    assert list(differences("a", None, file)) == [
        Difference("a", "as a whole", "nothing", "the file")
    ]
    found = compare_files({"a": file, "b": file}, {"a": file}, 1.0)
    assert (found.differing, found.is_within, found.files) == (("b",), False, 2)


@pytest.mark.parametrize(
    ("name", "writer", "one", "other", "place", "relative"),
    [
        # over the largest of the column, -4, not over the value itself
        ("a.parquet", write_table, ROWS, {**ROWS, "score": [1.01, -4.0, 2.02]},
         "row 2, column score", 0.02 / 4),
        ("a.safetensors", write_tensors, {"w": torch.tensor([1.0, -8.0])},
         {"w": torch.tensor([1.5, -8.0])}, "tensor w[0]", 0.5 / 8),
        ("a.json", write_json, {"loss": 2.0}, {"loss": 2.1}, "loss", 0.1 / 2.1),
        ("a.csv", write_bytes, b"s,loss\n1,2.0\n", b"s,loss\n1,1.9\n",
         "line 2, column loss", 0.1 / 2.0),
    ],
)  # fmt: skip
def test_numbers_may_differ_up_to_the_tolerance(pair, name, writer, one, other, place, relative):
    within = pair(name, writer, one, other, tolerance=relative * 1.001)
    beyond = pair(name, writer, one, other, tolerance=relative * 0.999)
    assert (within.is_within, beyond.is_within) == (True, False)
    assert within.largest is not None
    assert within.largest.place == place
    assert within.largest.relative == pytest.approx(relative)


def test_what_is_beyond_comes_before_what_is_within(pair):
    two = {**ROWS, "score": [1.0, -4.0, 2.0], "words": [3, 4, 5]}
    found = pair("a.parquet", write_table, two, {**two, "score": [1.001, -4.0, 2.0],
                                                  "words": [3, 4, 9]}, 0.1)  # fmt: skip
    assert found.first is not None
    assert found.first.place == "row 2, column words"


def test_nan_is_nan_and_no_number_is_near_it(pair):
    nan = {"w": torch.tensor([np.nan, 1.0])}
    assert pair("a.safetensors", write_tensors, nan, nan).differing == ()
    found = pair("a.safetensors", write_tensors, nan, {"w": torch.tensor([np.nan, np.nan])}, 1e9)
    assert found.first is not None
    assert (found.first.place, found.is_within) == ("tensor w[1]", False)
    table = {"x": [np.nan, 1.0]}
    assert not pair("a.parquet", write_table, table, {"x": [np.nan, np.inf]}, 1e9).is_within


def test_the_distance_of_answers_is_over_their_largest_number():
    assert distance([[-8.0, True], [-0.5, False]], [[-8.0, True], [-0.7, False]]) == pytest.approx(
        0.2 / 8
    )
    assert distance([[-8.0, True]], [[-8.0, False]]) is None
    assert distance(["a"], ["b"]) is None
    assert distance([1.0], [1.0, 2.0]) is None
