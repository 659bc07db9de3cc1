"""Tables of source files: which columns they may have, and what damaged ones cost."""

import gzip
import json
import pickle
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.code.inputs import inputs
from hornbook.code.judging import judge_shard
from hornbook.compute import Place
from hornbook.errors import InputError
from tests.code.rules import GOOD, rules

ROW = {"content": GOOD, "license": "MIT", "path": "p/a.py"}


def judged(root, settings=None, folder="out"):
    """All rows as (id of the source, licence) if kept, and the drops by reason."""
    settings = settings or rules()
    kept, dropped = [], {}
    for number, shard in enumerate(inputs(root, settings).sources):
        out = root.parent / folder / str(number)
        out.mkdir(parents=True)
        facts = judge_shard(shard.what, Place(out, out / "report"), settings=settings)
        for reason, count in facts["dropped"].items():
            dropped[reason] = dropped.get(reason, 0) + count
        for part in sorted(out.glob("part-*.parquet")):
            kept += [
                (row["source"], row["licence"], row["text"])
                for row in pq.read_table(part).to_pylist()
            ]
    return kept, dropped


def data(root, rows, name="rows.jsonl"):
    folder = root / "in"
    folder.mkdir(exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), folder / name)
    else:
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        (folder / name).write_bytes(
            gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
        )
    return folder


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
@pytest.mark.parametrize(
    ("columns", "source", "licence"),
    [
        ({"content": GOOD, "license": "mit", "path": "a.py"}, "a.py", "MIT"),
        (
            {
                "code": GOOD,
                "license": "apache-2.0",
                "repo_name": "o/r",
                "path": "a.py",
                "language": "Python",
            },
            "o/r/a.py",
            "Apache-2.0",
        ),
        (
            {
                "content": GOOD,
                "max_stars_repo_licenses": ["MIT"],
                "max_stars_repo_name": "o/r",
                "max_stars_repo_path": "a.py",
                "ext": "py",
                "lang": "Python",
            },
            "o/r/a.py",
            "MIT",
        ),
        (
            {
                "content": GOOD,
                "detected_licenses": ["MIT", "ISC"],
                "license_type": "permissive",
                "path": "/a.py",
                "repo_name": "o/r",
                "language": "Python",
                "is_vendor": False,
            },
            "o/r/a.py",
            "MIT AND ISC",
        ),
        (
            {"content": GOOD, "license_type": "permissive", "path": "../../a.py"},
            "a.py",
            "LicenseRef-permissive",
        ),
    ],
)
def test_each_schema_is_read(tmp_path, name, columns, source, licence):
    assert judged(data(tmp_path, [columns], name)) == ([(source, licence, GOOD)], {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW | {"lang": "JavaScript"}, "language"),
        (ROW | {"ext": "js"}, "language"),
        (ROW | {"is_vendor": True}, "vendored"),
        (ROW | {"is_generated": True}, "generated"),
        (ROW | {"license": "GPL-3.0"}, "licence"),
        ({"content": GOOD, "max_stars_repo_licenses": ["MIT", "GPL-3.0"]}, "licence"),
        ({"content": GOOD, "detected_licenses": [], "license_type": "no_license"}, "no_licence"),
        (ROW | {"license": None}, "no_licence"),
        (ROW | {"content": None}, "damaged_row"),
        (ROW | {"content": 7}, "damaged_row"),
        (ROW | {"content": "# \ud800\n" * 9}, "encoding"),
        (ROW | {"content": "x" * 2_000_000}, "too_large"),
        ("{", "damaged_row"),
        ("[1]", "damaged_row"),
        ("[" * 100_000, "damaged_row"),
        ('{"content": "\\q"}', "damaged_row"),
    ],
)
def test_a_row_that_is_not_taken_is_counted(tmp_path, row, reason):
    kept, dropped = judged(data(tmp_path, [ROW, row]))
    assert (len(kept), dropped) == (1, {reason: 1})


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"content": GOOD, "path": "a"},
            r"no column of licence \(max_stars.*it has \['content', 'path'\]",
        ),
        ({"license": "MIT"}, r"no column of text \(content or code\); it has \['license'\]"),
        ({"text": GOOD}, "no column of text .* and licence"),
        (
            {"blob_id": "1", "license_type": "permissive"},
            "no column of text .* published as ids: fetch the contents",
        ),
    ],
)
def test_a_table_without_a_column_is_refused_with_those_it_has(tmp_path, name, row, message):
    with pytest.raises(InputError, match=rf"rows\.\w+: {message}"):
        judged(data(tmp_path, [row], name))


def test_a_parquet_is_read_by_row_groups_in_shards_of_a_size(tmp_path):
    rows = [ROW | {"path": f"{n}.py", "content": f"# {n}\n{GOOD}"} for n in range(40)]
    folder = data(tmp_path, rows, "rows.parquet")
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet", row_group_size=10)
    whole = judged(folder, folder="whole")
    small = rules(shard_bytes=1)
    assert len(inputs(folder, small).sources) == 4
    assert judged(folder, small, folder="parts") == whole
    assert [row[0] for row in whole[0]] == [f"{n}.py" for n in range(40)]


def test_a_damaged_table_costs_itself_only(tmp_path):
    folder = data(tmp_path, [ROW], "a.parquet")
    (folder / "b.parquet").write_bytes(b"PAR1 this is no table PAR1")
    whole = (folder / "a.parquet").read_bytes()
    (folder / "c.parquet").write_bytes(whole[: len(whole) // 2])
    lines = [
        json.dumps(ROW | {"content": f"# {random.Random(n).random()}\n{GOOD}"}) for n in range(9000)
    ]
    packed = gzip.compress("\n".join(lines).encode())
    (folder / "d.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "e.parquet").write_bytes(b"")
    kept, dropped = judged(folder)
    assert dropped == {"damaged_file": 4}
    assert 2000 < len(kept) < 9000  # the rows before the break


def test_a_bomb_of_packed_lines_ends_early(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    line = json.dumps(ROW | {"content": " " * 500_000}).encode() + b"\n"
    with gzip.open(folder / "bomb.jsonl.gz", "wb") as file:
        for _ in range(600):
            file.write(line)
    _, dropped = judged(folder)
    assert dropped["damaged_file"] == 1
    assert dropped["minified" if "minified" in dropped else "too_short"] < 500


class Trap:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran')",))


def test_a_pickle_in_the_metadata_is_not_run(tmp_path):
    poison = pickle.dumps(Trap())
    table = pa.Table.from_pylist([ROW])
    field = pa.field(
        "content",
        pa.string(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": poison,
        },
    )
    schema = pa.schema([field, *list(table.schema)[1:]], metadata={b"pandas": poison, b"x": poison})
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(table.cast(schema), folder / "rows.parquet")
    kept, dropped = judged(folder)
    assert (len(kept), dropped) == (1, {})


def test_an_empty_folder_names_the_setting(tmp_path):
    with pytest.raises(InputError, match=r"nothing matches code\.corpus\.include"):
        inputs(tmp_path, rules())


def test_tables_far_away_are_listed_in_a_file(tmp_path):
    folder = data(tmp_path, [ROW])
    far = tmp_path / "far"
    far.mkdir()
    (folder / "rows.jsonl").rename(far / "rows.jsonl")
    (folder / "far.sources.yaml").write_text(f"- url: {far}/*.jsonl\n")
    kept, dropped = judged(folder)
    assert (len(kept), dropped) == (1, {})


def damaged_text():
    """Three texts, the second of which is no UTF-8."""
    good = GOOD.encode()
    ends = (0, len(good), len(good) + 4, len(good) * 2 + 4)
    buffers = [b"".join(n.to_bytes(4, "little") for n in ends), good + b"\xff" * 4 + good]
    return pa.Array.from_buffers(pa.string(), 3, [None, *map(pa.py_buffer, buffers)])


NEVER = pa.array([1, 2**31 - 1, 2], pa.int32()).cast(pa.date32())


@pytest.mark.parametrize("column", ["content", "path"])
def test_a_row_whose_text_is_no_utf8_costs_itself_only(tmp_path, column):
    columns = {"content": [GOOD] * 3, "license": ["MIT"] * 3, "path": ["a.py", "b.py", "c.py"]}
    folder = data(tmp_path, [ROW], "rows.parquet")
    pq.write_table(pa.table(columns | {column: damaged_text()}), folder / "rows.parquet")
    kept, dropped = judged(folder)
    assert (len(kept), dropped) == (2, {"damaged_row": 1})


def test_a_row_with_a_day_beyond_the_calendar_costs_itself_only(tmp_path):
    folder = data(tmp_path, [ROW], "rows.parquet")
    columns = {"content": [GOOD] * 3, "license": ["MIT"] * 3, "path": NEVER}
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    kept, dropped = judged(folder)
    assert ([row[0] for row in kept], dropped) == (["1970-01-02", "1970-01-03"], {"damaged_row": 1})
