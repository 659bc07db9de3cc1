"""Input that was made to do harm ends nothing: it is counted and passed over."""

import gzip
import io
import json
import os
import pickle
import re
import tarfile
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.artifacts import read_documents, read_json
from hornbook.web.corpus import web_corpus
from tests.web.articles import STORY
from tests.web.test_corpus import PAGE, made, put
from tests.web.test_pages import read, record

GOOD = PAGE.format(STORY, "A page.").encode()


def member(tar: tarfile.TarFile, name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type = (len(content) if kind == tarfile.REGTYPE else 0), kind
    info.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
    tar.addfile(info, io.BytesIO(content))


def sources(pages) -> list[str]:
    return [page.source for page in pages]


def test_a_bomb_among_records_is_passed_over_and_those_behind_it_are_read(tmp_path):
    bomb = gzip.compress(record("http://a/bomb", b"\0" * 150_000_000))
    file = tmp_path / "a.warc.gz"
    around = [gzip.compress(record(f"http://a/{n}", GOOD)) for n in (1, 2)]
    file.write_bytes(around[0] + bomb + around[1])
    pages, broken = read(file)
    assert sources(pages) == ["http://a/1", "http://a/2"]
    assert broken == {"zip_bomb": 1}


def test_a_page_of_a_hundred_megabytes_is_too_large_and_never_in_memory(tmp_path):
    big = b"<p>" + b"word " * 20_000_000
    file = tmp_path / "a.warc"
    file.write_bytes(record("http://a/big", big) + record("http://a/1", GOOD))
    del big
    tracemalloc.start()
    pages, broken = read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sources(pages), broken) == (["http://a/1"], {"too_large": 1})
    assert peak < 30_000_000


def test_a_packed_body_is_unpacked_as_far_as_a_page_may_go(tmp_path):
    def packed(url: str, body: bytes) -> bytes:
        http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
        http += gzip.compress(body)
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
        head += f"Content-Type: application/http\r\nContent-Length: {len(http)}\r\n\r\n"
        return head.encode() + http + b"\r\n\r\n"

    file = tmp_path / "a.warc"
    file.write_bytes(packed("http://a/1", GOOD) + packed("http://a/2", b"a" * 20_000_000))
    pages, broken = read(file)
    assert [page.html for page in pages] == [GOOD]
    assert broken == {"too_large": 1}


def test_redirects_are_counted_and_never_followed(tmp_path):
    file = tmp_path / "a.warc"
    again = b"see http://a/1"
    file.write_bytes(b"".join(record("http://a/1", again, status="301 Moved") for _ in range(50)))
    assert read(file) == ([], {"redirect": 50})


@pytest.mark.parametrize("suffix", [".warc.gz", ".arc.gz"])
def test_a_damaged_record_costs_no_other(tmp_path, suffix):
    def one(number: int) -> bytes:
        if suffix == ".warc.gz":
            return record(f"http://a/{number}", GOOD)
        body = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n" + GOOD
        return (
            f"http://a/{number} 1.2.3.4 20010101000000 text/html {len(body)}\n".encode()
            + body
            + b"\n"
        )

    members = [bytearray(gzip.compress(one(number))) for number in range(5)]
    for place in range(40, 60):
        members[2][place] ^= 0xFF
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"".join(members))
    pages, broken = read(file)
    assert sources(pages) == [f"http://a/{n}" for n in (0, 1, 3, 4)]
    assert broken == {"broken_record": 1}


def test_the_bytes_between_arc_records_are_passed_over(tmp_path):
    body = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + GOOD
    head = f"http://a/1 1.2.3.4 20010101000000 text/html {len(body)}\n".encode()
    moved = b"HTTP/1.0 302 Found\r\nLocation: http://a/1\r\n\r\nx"
    other = f"http://a/2 1.2.3.4 20010101000000 text/html {len(moved)}\n".encode()
    file = tmp_path / "a.arc"
    file.write_bytes(b"noise\n\xff\xfe\n" + head + body + b"\nmore noise\n" + other + moved + b"\n")
    pages, broken = read(file)
    assert [page.html for page in pages] == [GOOD]
    assert broken == {"redirect": 1, "broken_record": 2}  # two runs of lines that are no record


def one_of(number: int, *, more: int = 0) -> bytes:
    """A record that says it is `more` bytes longer than it is."""
    body = record(f"http://a/{number}", GOOD)
    length = int(re.search(rb"Content-Length: (\d+)", body)[1])
    return body.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % (length + more), 1)


GONE = one_of(1).replace(b"WARC/1.0", b"WARC/9.x", 1)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (b"", None),
        (b"hello", "broken_record"),
        (one_of(1, more=50), "truncated_record"),
        (one_of(1, more=300), "truncated_record"),
        (one_of(1, more=5000), "truncated_record"),
        (GONE, "broken_record"),
    ],
    ids=["empty member", "no record", "longer", "much longer", "past all", "version"],
)
def test_records_behind_a_bad_one_are_found_and_the_bad_one_is_counted(tmp_path, second, reason):
    around = [gzip.compress(one_of(number)) for number in (0, 2, 3)]
    file = tmp_path / "a.warc.gz"
    file.write_bytes(around[0] + gzip.compress(second) + around[1] + around[2])
    pages, broken = read(file)
    assert sources(pages) == ["http://a/0", "http://a/2", "http://a/3"]
    assert broken == ({reason: 1} if reason else {})


@pytest.mark.parametrize("more", [50, 300])
def test_a_plain_record_that_claims_its_neighbour_costs_it_nothing(tmp_path, more):
    file = tmp_path / "a.warc"
    file.write_bytes(one_of(0) + one_of(1, more=more) + one_of(2) + one_of(3))
    pages, broken = read(file)
    assert sources(pages) == [f"http://a/{n}" for n in (0, 2, 3)]
    assert broken == {"truncated_record": 1}


@pytest.mark.parametrize("harm", ["flipped", "cut at", "cut in"])
def test_an_archive_with_a_damaged_header_is_not_taken_for_a_whole_one(tmp_path, harm):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        starts = []
        for number in range(4):
            starts.append(content.tell())
            member(tar, f"p{number}.html", GOOD)
    raw = bytearray(content.getvalue())
    if harm == "flipped":
        raw[starts[1] + 1] ^= 0xFF
    else:
        del raw[starts[1] + (0 if harm == "cut at" else 100) :]
    (tmp_path / "a.tar").write_bytes(raw)
    pages, broken = read(tmp_path / "a.tar")
    assert sources(pages) == ["p0.html"]
    assert broken == {"truncated_archive": 1}


def test_a_damaged_page_in_an_archive_costs_no_other(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member(tar, "p0.html.gz", gzip.compress(GOOD)[:-20])
        member(tar, "p1.html.gz", gzip.compress(GOOD))
    pages, broken = read(tmp_path / "a.tar")
    assert (sources(pages), broken) == (["p1.html.gz"], {"broken_record": 1})


@pytest.mark.parametrize(
    ("columns", "count", "broken"),
    [
        ({"text": [{"a": "x"}, {"a": "y"}], "content": ["A row.", "B row."]}, 2, {}),
        ({"text": [["x"], ["y"]]}, 0, {"no_text": 2}),
        ({"text": [None, "A row."]}, 1, {"no_text": 1}),
        ({"text": [], "url": []}, 0, {"no_text": 0}),
        ({"text": ["A row."], "url": pa.array([2**31 - 1], pa.date32())}, 1, {}),
        ({"text": pa.array(["A", "A"]).dictionary_encode()}, 2, {}),
    ],
    ids=["struct", "list", "null", "no rows", "odd address", "dictionary"],
)
def test_odd_columns_of_a_table_are_no_text(tmp_path, columns, count, broken):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    pages, found = read(tmp_path / "a.parquet")
    assert len(pages) == count
    assert found == broken or (not +found and not any(broken.values()))


def test_a_name_that_is_no_utf_8_is_shown_by_numbers(tmp_path):
    put(tmp_path, "a.warc", record("http://a/1", GOOD))
    (tmp_path / "in" / os.fsdecode(b"b\xff.html")).write_bytes(GOOD.replace(b"A page", b"B page"))
    run = made(tmp_path)
    web_corpus(run)
    assert [row["source"] for row in read_documents(run.out)] == ["http://a/1", "b\\udcff.html"]


def test_names_and_links_that_lead_out_of_an_archive_are_refused(tmp_path):
    file = tmp_path / "a.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        member(tar, "../../out.html", GOOD)
        member(tar, "/etc/out.html", GOOD)
        member(tar, "link.html", b"", tarfile.SYMTYPE)
        member(tar, "packed.html.gz", gzip.compress(b"\0" * 20_000_000))
        member(tar, "good.html", GOOD)
    pages, broken = read(file)
    assert sources(pages) == ["good.html"]
    assert broken == {"unsafe_name": 2, "not_a_file": 1, "too_large": 1}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.jsonl.gz"])
def test_a_compressed_file_that_never_ends_is_left(tmp_path, name):
    content = io.BytesIO()
    if name == "a.tar.gz":
        with tarfile.open(fileobj=content, mode="w") as tar:
            member(tar, "good.html", GOOD)
            member(tar, "bomb.html", b"\0" * 250_000_000)
    else:
        content.write(json.dumps({"text": "A good row."}).encode() + b"\n" + b"\0" * 250_000_000)
    (tmp_path / name).write_bytes(gzip.compress(content.getvalue(), 9))
    pages, broken = read(tmp_path / name)
    assert len(pages) == 1
    assert broken["zip_bomb"] == 1


def test_rows_with_nuls_half_surrogates_or_endless_nesting_are_counted(tmp_path):
    rows = [
        json.dumps({"text": "a\0b"}),
        '{"text": "half \\ud800 of a pair"}',
        '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps({"text": "x" * 21_000_000}),
        json.dumps({"text": "A good row.", "url": "http://a/\ud800"}),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    pages, broken = read(tmp_path / "a.jsonl")
    assert [(page.text, page.source) for page in pages] == [("A good row.", "http://a/?")]
    assert broken == {"broken_text": 2, "broken_record": 1, "too_large": 1}


def test_a_table_of_equal_huge_rows_is_small_in_memory(tmp_path):
    table = pa.table({"text": pa.array(["word " * 1_000_000] * 200 + ["A good row."])})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    del table
    before = pa.total_allocated_bytes()
    pages, broken = read(tmp_path / "a.parquet", page_bytes=1_000_000)
    assert (len(pages), broken) == (1, {"too_large": 200})
    assert pa.default_memory_pool().max_memory() - before < 2_500_000_000


def test_a_pickle_in_the_metadata_is_never_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    field = pa.field(
        "text",
        pa.string(),
        metadata={
            "ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": pickle.dumps(Harm()),
        },
    )
    table = pa.table(
        [pa.array(["A good row."])], schema=pa.schema([field], metadata={"x": pickle.dumps(Harm())})
    )
    pq.write_table(table, tmp_path / "a.parquet")
    pages, broken = read(tmp_path / "a.parquet")
    assert ([page.text for page in pages], broken) == (["A good row."], {"pickle_in_metadata": 1})
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "html",
    [
        b"<div>" * 200_000 + b"text",
        b"<b>" * 100_000 + b"text" + b"</b>" * 100_000,
        b"<table><tr><td>" * 50_000,
        b"<p>" + b"&#0;\0" * 10_000,
        b"<a " + b"x=1 " * 500_000 + b">",
        b"<!--" * 500_000,
        b"<p>" + b"a.a." * 1_000_000,
        b"<p>" + b"1 " * 1_000_000,
        b"<svg><math><mi><mtext>" * 20_000,
        b"".join(b"<p><b x=%d>t" % n for n in range(4_000)),
        b"<blockquote>" * 2_000 + b"word " * 200_000,
        b"<span>x " * 16_000,
    ],
    ids=[
        "divs",
        "closed",
        "tables",
        "nuls",
        "attributes",
        "comments",
        "dots",
        "digits",
        "foreign",
        "formats",
        "quotes",
        "spans",
    ],
)
def test_a_page_made_to_be_slow_or_deep_leaves_the_next_one_alone(tmp_path, html):
    put(tmp_path, "a.warc", record("http://a/evil", html) + record("http://a/1", GOOD))
    run = made(tmp_path)
    web_corpus(run)
    assert [row["source"] for row in read_documents(run.out)] == ["http://a/1"]
    assert sum(read_json(run.out / "summary.json")["dropped"].values()) == 1
