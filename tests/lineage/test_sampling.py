"""A part of a stage made again: items, answers, and shards with the rows of a corpus."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.artifacts import read_table, write_table
from hornbook.classifier.config import Filter
from hornbook.classifier.filter import filter_corpus
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.sampling import sample_answers, sample_items
from hornbook.lineage.shard_sampling import sample_shards
from hornbook.web.corpus import web_corpus
from tests.made_run import made_run
from tests.web.test_corpus import made, page, put


def items(root: Path, rows: list[tuple[str, float, str]]) -> None:
    """`items.parquet` as an evaluation writes it."""
    root.mkdir(parents=True, exist_ok=True)
    names = ("item", "score", "detail")
    table = [{"task": "t", "metric": "acc", **dict(zip(names, row, strict=True))} for row in rows]
    pq.write_table(pa.Table.from_pylist(table), root / "items.parquet")


class Evaluated:
    """A clean copy whose stage answers the first items as it is told."""

    def __init__(self, root: Path, answers: list[tuple[str, float, str]]) -> None:
        self.root, self.out, self.answers = root, root / "out", answers
        (root / "dvc.yaml").write_text("stages: {}")
        (root / "params.yaml").write_text("evaluate: {limit: null, dtype: '1e5', lr: 1e-07}")

    def run(self, _say) -> bool:
        values = load_graph(self.root).params["evaluate"]
        assert values == {"limit": len(self.answers), "dtype": "1e5", "lr": 1e-7}
        items(self.out, self.answers)
        return True


RECORDED = [("a", 1.0, "[[-8.0, true]]"), ("b", 0.0, '["no"]'), ("c", 1.0, "[[-1.0, true]]")]


@pytest.mark.parametrize(
    ("answers", "result", "place"),
    [
        (RECORDED[:2], "bit-equal", None),
        ([("a", 1.0, "[[-8.001, true]]")], "within", "t acc a, detail"),
        ([("a", 1.0, "[[-9.0, true]]")], "differs", "t acc a, detail"),
        ([RECORDED[0], ("b", 1.0, '["no"]')], "differs", "t acc b, score"),
        ([RECORDED[0], ("b", 0.0, '["yes"]')], "differs", "t acc b, detail"),
        ([RECORDED[0], ("d", 0.0, '["no"]')], "differs", "t acc d"),
    ],
)
def test_each_item_of_a_sample_is_compared_by_itself(tmp_path, answers, result, place):
    items(tmp_path / "recorded", RECORDED)
    recorded = {"items.parquet": tmp_path / "recorded/items.parquet"}
    (tmp_path / "copy").mkdir()
    copy: Any = Evaluated(tmp_path / "copy", answers)
    found = sample_items(copy, recorded, len(answers), 1e-3, lambda _line: None)
    assert found is not None
    compared = found.compared
    kinds = {(True, False): "bit-equal", (True, True): "within", (False, True): "differs"}
    assert kinds[compared.is_within, bool(compared.differing)] == result
    assert (compared.first.place if compared.first else None) == place
    assert found.sample == {"items": len(answers)}


def test_no_more_items_than_were_asked_are_a_sample(tmp_path):
    copy: Any = Evaluated(tmp_path, [])
    (tmp_path / "params.yaml").write_text("evaluate: {limit: 3}")
    assert sample_items(copy, {}, 3, 1e-3, lambda _line: None) is None


ANSWERED = [("a", "one"), ("b", "two"), ("c", "three")]


class Answered:
    """A clean copy whose teacher gives these answers."""

    def __init__(self, root: Path, rows: list[tuple[str, str]]) -> None:
        self.root, self.rows = root, rows
        self.out = root / "out"
        (root / "dvc.yaml").write_text("stages: {}")
        answers(root / "recorded", ANSWERED)
        (root / "params.yaml").write_text("books: {answers: {count: 3, seed: 0}}")

    def run(self, _say: Any) -> bool:
        asked = json.loads((self.root / "params.yaml").read_text())["books"]["answers"]["count"]
        answers(self.out, self.rows[:asked])
        return True


def answers(folder: Path, rows: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True)
    table = pa.table({"id": [key for key, _ in rows], "text": [text for _, text in rows]})
    pq.write_table(table, folder / "part-00000.parquet")


@pytest.mark.parametrize(
    ("made", "place"),
    [
        (ANSWERED, None),
        ([("a", "one"), ("b", "other")], "b, text"),
        ([("a", "one"), ("d", "four")], "d"),
    ],
)
def test_answers_of_a_sample_are_those_of_a_shorter_plan(tmp_path, made, place):
    copy: Any = Answered(tmp_path, made)
    recorded = {"part-00000.parquet": tmp_path / "recorded" / "part-00000.parquet"}
    found = sample_answers(copy, recorded, 2, 0.0, lambda _line: None)
    assert found is not None
    assert found.sample == {"answers": 2, "of": 3}
    assert (found.compared.first.place if found.compared.first else None) == place
    assert found.compared.is_within == (place is None)
    (tmp_path / "params.yaml").write_text("books: {answers: {count: 3, seed: 0}}")
    assert sample_answers(copy, recorded, 3, 0.0, lambda _line: None) is None


class Mapped:
    """A clean copy whose stage is a map over shards, with the record of `recorded`."""

    def __init__(self, root: Path, family: str, digest: str, start: Any) -> None:
        self.root, self.start = root, start
        self.stage = SimpleNamespace(family=family)
        self.entry = SimpleNamespace(out_hash=digest)
        self.left: Path | None = None

    def run(self, _say: Any) -> bool:
        try:
            self.left = self.start(self.root)
        except SystemExit as ended:  # as a process it would be over now
            self.left = None if ended.code else self.left
        (self.root / ".hornbook").mkdir(exist_ok=True)
        (self.root / ".pending").rename(self.root / ".hornbook/pending")
        return True


def crawl(root: Path) -> None:
    """Three files, a shard each; 4 and 8 come again, 4 as the first of the second."""
    for name, numbers in (("a", range(1, 8)), ("b", (4, *range(8, 14))), ("c", (14, 8, 15, 16))):
        put(root, f"{name}.warc", b"".join(page(number) for number in numbers))


def corpus(root: Path) -> Path:
    crawl(root)
    run = made(root, shard_bytes=1)
    web_corpus(run)
    return run.out


def parts(folder: Path) -> dict[str, Path]:
    return {file.name: file for file in sorted(folder.iterdir())}


def of_rows(root: Path, recorded: Path, digest: str, wanted: int = 1) -> Any:
    copy: Any = Mapped(root, "web_corpus", digest, corpus)
    root.mkdir()
    return sample_shards(copy, parts(recorded), wanted, 0.0, lambda _line: None)


@pytest.fixture(scope="module")
def recorded_corpus(tmp_path_factory) -> Path:
    return corpus(tmp_path_factory.mktemp("recorded"))


def test_rows_of_any_shard_are_found_in_the_corpus(tmp_path, recorded_corpus):
    taken = set()
    for number in range(8):
        found = of_rows(tmp_path / str(number), recorded_corpus, f"digest {number}")
        assert found.compared.first is None
        assert found.sample == {"shards": 1, "of": 3}
        taken.add(found.told)
    assert taken == {"1 of 3 shards, 7 rows", "1 of 3 shards, 4 rows"}


def test_a_sample_of_all_shards_is_the_stage(tmp_path, recorded_corpus):
    copy: Any = Mapped(tmp_path / "copy", "web_corpus", "", corpus)
    copy.root.mkdir()
    assert sample_shards(copy, parts(recorded_corpus), 3, 0.0, lambda _line: None) is None
    assert copy.left.parent.name == "web_corpus"


def changed(table: pa.Table) -> pa.Table:
    texts = [text.replace("Page 10.", "Page ten.") for text in table.column("text").to_pylist()]
    return table.set_column(table.schema.names.index("text"), "text", pa.array(texts))


def without(table: pa.Table) -> pa.Table:
    gone = [source.endswith("/10") for source in table.column("source").to_pylist()]
    return table.filter(pa.array([not one for one in gone]))


def with_another(table: pa.Table) -> pa.Table:
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        if row["source"].endswith("/10"):
            rows.insert(number, row | {"id": "other", "text": "Another."})
            break
    return pa.Table.from_pylist(rows, table.schema)


@pytest.mark.parametrize(
    ("change", "place", "was"),
    [(changed, ", text", None), (without, "", "nothing"), (with_another, "other", "a row")],
)
def test_a_row_that_is_not_as_it_was_made_is_named(tmp_path, recorded_corpus, change, place, was):
    for name, file in parts(recorded_corpus).items():
        if name.startswith("part-"):
            write_table(tmp_path / "recorded" / name, change(read_table(file)))
    found = of_rows(tmp_path / "copy", tmp_path / "recorded", "digest 1", wanted=2)
    first = found.compared.first
    assert first is not None
    assert not found.compared.is_within
    assert first.place.endswith(place)
    assert was is None or first.recorded == was


def filtered(root: Path) -> Path:
    for number in range(3):
        ids = [f"{number}-{row}" for row in range(4)]
        texts = pa.table({"id": ids, "text": ids, "source": ids})
        write_table(root / "corpus" / f"part-{number:05d}.parquet", texts)
        scores = pa.table({"id": ids, "score": [0.0, 1.0, 2.0, 3.0]})
        write_table(root / "scores" / f"part-{number:05d}.parquet", scores)
    run = made_run(root, "web_filter", reads=[], params={})
    filter_corpus(run, root / "corpus", root / "scores", Filter(threshold=2, expectations=[]))
    return run.out


def test_files_of_a_shard_are_those_of_the_artifact(tmp_path):
    recorded = parts(filtered(tmp_path / "recorded"))
    for name in ("same", "other"):
        copy: Any = Mapped(tmp_path / name, "web_filter", "", filtered)
        copy.root.mkdir()
        found = sample_shards(copy, recorded, 2, 0.0, lambda _line: None)
        assert found is not None
        assert found.sample == {"shards": 2, "of": 3}
        assert found.compared.files == 2
        assert bool(found.compared.differing) == (name == "other")
        for file in recorded.values():
            if file.suffix == ".parquet":
                write_table(file, read_table(file).slice(1))
