"""Input files: of a folder, of fsspec URLs, of a data set of the Hugging Face hub."""

import gzip
import http.server
import json
import threading
from functools import partial

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.artifacts import read_documents, read_json
from hornbook.errors import InputError
from hornbook.sources import InputFile, fetched, grouped, input_files
from hornbook.web.corpus import web_corpus
from tests.web.articles import STORY
from tests.web.test_corpus import made, page, put


def anything(name: str) -> bool:
    return not name.endswith(".txt")


def listed(root, text: str):
    (root / "a.sources.yaml").write_text(text)
    return input_files(root, ["**/*"], anything)


@pytest.fixture
def memory():
    """Files behind a URL without any network."""
    system = fsspec.filesystem("memory")
    for number in (2, 1):
        system.pipe(f"/crawl/{number}.warc.gz", gzip.compress(page(number)))
    yield system
    system.rm("/crawl", recursive=True)


@pytest.fixture
def server(tmp_path):
    """A web server of this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{served.server_port}"
    served.shutdown()


def test_files_of_a_folder_come_sorted_and_only_those_that_can_be_read(tmp_path):
    for name in ("b.warc", "a/c.warc", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1234")
    files = input_files(tmp_path, ["**/*"], anything)
    assert [(file.name, file.num_bytes) for file in files] == [("a/c.warc", 4), ("b.warc", 4)]
    assert not any(file.is_remote for file in files)


def test_a_list_stands_for_the_files_that_it_names(tmp_path, memory):
    files = listed(tmp_path, "- url: memory://crawl/*.warc.gz\n- url: memory://crawl/1.warc.gz\n")
    names = [file.name.rpartition("/")[2] for file in files]
    assert names == ["1.warc.gz", "2.warc.gz"]
    assert all(file.is_remote for file in files)


def test_remote_archives_become_pages_and_leave_no_copy(tmp_path, memory):
    put(tmp_path, "a.sources.yaml", b"- url: memory://crawl/*.warc.gz\n")
    run = made(tmp_path)
    web_corpus(run)
    assert [row["source"] for row in read_documents(run.out)] == ["http://a/1", "http://a/2"]
    assert not list(run.pending.rglob("fetched-*"))


def test_what_the_server_says_of_a_version_is_recorded(tmp_path, memory, monkeypatch):
    info = type(memory).info
    tagged = lambda self, path, **more: info(self, path, **more) | {"ETag": '"v7"'}  # noqa: E731
    monkeypatch.setattr(type(memory), "info", tagged)
    put(tmp_path, "a.sources.yaml", b"- url: memory://crawl/1.warc.gz\n")
    run = made(tmp_path)
    web_corpus(run)
    (one,) = read_json(run.out / "inputs.json")
    assert (one["version"], one["name"].rpartition("/")[2]) == ("v7", "1.warc.gz")


def test_a_file_is_fetched_over_http_by_a_worker(tmp_path, server):
    folder, url = server
    for number in (1, 2):
        (folder / f"{number}.warc.gz").write_bytes(gzip.compress(page(number)))
    lines = "".join(f"- url: {url}/{number}.warc.gz\n" for number in (1, 2))
    put(tmp_path, "a.sources.yaml", lines.encode())
    run = made(tmp_path, workers=2, shard_bytes=1)
    web_corpus(run)
    assert [row["source"] for row in read_documents(run.out)] == ["http://a/1", "http://a/2"]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_data_set_is_read_by_its_name(tmp_path, kind):
    rows = [
        {"text": f"{STORY} That was river {n}.", "url": f"http://b/{n}", "dump": "x"}
        for n in range(3)
    ]
    folder = tmp_path / "in" / "org" / "pages" / "data"
    folder.mkdir(parents=True)
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000-of-00001.parquet")
        pq.write_table(pa.Table.from_pylist(rows[:1]), folder / "test-00000-of-00001.parquet")
    else:
        (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    listing = "- dataset: org/pages\n  split: train\n"
    put(tmp_path, "a.sources.yaml", listing.encode())
    run = made(tmp_path, include=["*.nothing"])
    web_corpus(run)
    assert [row["source"] for row in read_documents(run.out)] == [row["url"] for row in rows]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- adress: x\n", r"entry 1 is \{'adress': 'x'\}, .*; each entry is `- url: "),
        ("- url: x\n- dataset: d\n  splits: a\n", r"entry 2 is .*splits: Unexpected keyword"),
        ("- x\n", r"entry 1 is 'x'"),
        ("url: x\n", r"a\.sources\.yaml is not a list of sources but dict"),
        ("[" * 5000, r"a\.sources\.yaml is not a list of sources, it is no YAML"),
        ("- url: [\n", r"a\.sources\.yaml is not a list of sources"),
        ("- url: memory://none/*.warc\n", r"nothing matches memory://none"),
        ("- url: memory://none/a.warc\n", r"memory://none/a\.warc: FileNotFoundError"),
        ("- url: nosuch://a\n", r"nosuch://a: ValueError"),
    ],
)
def test_a_list_that_names_nothing_is_refused(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        listed(tmp_path, text)


def test_a_split_that_a_data_set_does_not_have_is_named(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match=r"no split 'tests'; it has train"):
        listed(tmp_path, "- {dataset: pages, split: tests}\n")


def test_a_file_that_is_gone_ends_with_its_name(tmp_path, memory):
    gone = InputFile("x", "memory://crawl/9.warc.gz", 1, "")
    with pytest.raises(InputError, match=r"9\.warc\.gz cannot be fetched"), fetched(gone, tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_small_files_are_grouped_and_a_large_one_is_alone():
    files = [InputFile(str(n), str(n), size, "") for n, size in enumerate((4, 5, 1, 30, 2, 9))]
    groups = [[file.num_bytes for file in group] for group in grouped(files, 10)]
    assert groups == [[4, 5, 1], [30], [2], [9]]
