"""Archives of which records lie about themselves, and how much is read to find the others."""

import gzip
import io
import random
import tarfile
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.web import streams
from tests.web.test_pages import read, record

PAGE = b"<p>A page of some words.</p>\n" * 20


def arc_record(number: int, more: int = 0, body: bytes = PAGE) -> bytes:
    """A record that says it is `more` bytes longer than it is."""
    http = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n" + body
    head = f"http://a/{number} 1.2.3.4 20010101000000 text/html {len(http) + more}\n"
    return head.encode() + http + b"\n"


def sources(pages) -> list[str]:
    return [page.source for page in pages]


@pytest.mark.parametrize("form", [".arc", ".arc.gz"])
@pytest.mark.parametrize("cut", [2, 40, 300, 570])
def test_an_arc_record_that_is_cut_costs_no_neighbour_and_is_counted(tmp_path, form, cut):
    pack = gzip.compress if form == ".arc.gz" else bytes
    raw = [arc_record(number) for number in range(4)]
    raw[1] = raw[1][:-cut]
    file = tmp_path / f"a{form}"
    file.write_bytes(b"".join(pack(one) for one in raw))
    pages, broken = read(file)
    assert sources(pages) == [f"http://a/{number}" for number in (0, 2, 3)]
    assert broken == {"truncated_record": 1}


@pytest.mark.parametrize("more", [1, 50, 5_000, 50_000_000, 10**17])
def test_an_arc_record_that_claims_its_neighbours_costs_them_nothing(tmp_path, more):
    file = tmp_path / "a.arc"
    file.write_bytes(arc_record(0) + arc_record(1, more) + arc_record(2) + arc_record(3))
    pages, broken = read(file)
    if more == 1:  # the end of the line belongs to it then
        assert (len(pages), broken) == (4, {})
    else:
        assert sources(pages) == ["http://a/0", "http://a/2", "http://a/3"]
        assert broken == {"truncated_record": 1}


@pytest.mark.parametrize("harm", [b"text/html 1:6:6", b"2001"])
def test_the_first_record_of_a_stream_is_kept_where_the_head_of_the_second_is_damaged(
    tmp_path, harm
):
    whole = arc_record(0) + arc_record(1) + arc_record(2)
    at = whole.index(harm[:9], len(arc_record(0)))
    file = tmp_path / "a.arc.gz"
    file.write_bytes(gzip.compress(whole[:at] + harm)[:-8] + bytes(8))  # no checksum fits
    pages, broken = read(file)
    assert (sources(pages), broken) == (["http://a/0"], {"truncated_archive": 1})


def test_a_member_that_is_one_record_and_damaged_is_counted(tmp_path):
    raw = bytearray(gzip.compress(arc_record(1)))
    raw[-8] ^= 1  # the checksum
    file = tmp_path / "a.arc.gz"
    file.write_bytes(gzip.compress(arc_record(0)) + raw)
    pages, broken = read(file)
    assert (sources(pages), broken) == (["http://a/0"], {"truncated_archive": 1})


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@pytest.mark.parametrize("num_lost", [700, 1024])
def test_a_cut_tar_member_that_swallows_a_neighbour_is_counted(tmp_path, suffix, num_lost):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, size in (("a.html", 2_000), ("b.html", 100), ("c.html", 100)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(b"x" * size))
    raw = out.getvalue()
    cut = raw[:1024] + raw[1024 + num_lost :]  # a is now as long as it says only with b in it
    file = tmp_path / f"a{suffix}"
    file.write_bytes(gzip.compress(cut) if suffix == ".tar.gz" else cut)
    pages, broken = read(file)
    is_aligned = num_lost % tarfile.BLOCKSIZE == 0  # then c is found, and all fits together
    assert sources(pages) == (["a.html", "c.html"] if is_aligned else ["a.html"])
    assert bool(broken) is not is_aligned


def test_what_stands_behind_the_end_of_a_tar_is_counted(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.txt"))
    file = tmp_path / "a.tar"
    file.write_bytes(out.getvalue() * 2)
    assert read(file) == ([], {"truncated_archive": 1})


def test_a_record_may_hold_what_looks_like_another(tmp_path):
    inner = record("http://b/1", PAGE)
    file = tmp_path / "a.warc"
    file.write_bytes(record("http://a/1", PAGE + inner + PAGE) + record("http://a/2", PAGE))
    pages, broken = read(file)
    assert (sources(pages), broken) == (["http://a/1", "http://a/2"], {})


def test_where_the_first_bytes_are_damaged_the_name_says_that_it_is_gzip(tmp_path):
    file = tmp_path / "a.warc.gz"
    members = [gzip.compress(record(f"http://a/{number}", PAGE)) for number in range(3)]
    file.write_bytes(b"\0\0\0" + b"".join(members)[3:])
    pages, broken = read(file)
    assert (sources(pages), broken) == (["http://a/1", "http://a/2"], {"broken_record": 1})


class Counter:
    """A file of which is counted what is read."""

    def __init__(self, stream, path: "CountingPath") -> None:
        self._stream, self._path = stream, path

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self._path.num_bytes += len(found)
        return found


class CountingPath(type(Path())):
    num_bytes = 0

    def open(self, *args, **kwargs):
        return Counter(super().open(*args, **kwargs), self)


def bytes_read(file: Path, form: str, count: int) -> int:
    """How much is read of an archive whose every second member is damaged."""
    rng, raw = random.Random(0), b""
    for number in range(count):
        body = PAGE + rng.randbytes(1000).hex().encode()
        one = record(f"http://a/{number}", body)
        if form == ".arc.gz":
            one = arc_record(number, body=body)
        member = bytearray(gzip.compress(one, 1))
        if number % 2:
            place = rng.randrange(20, len(member))
            member[place : place + 4] = b"\xff\0\xff\0"
        raw += bytes(member)
    path = CountingPath(file.with_name(f"{count}{form}"))
    path.write_bytes(raw)
    pages, broken = read(path)
    assert len(pages) == count // 2
    assert broken.total() >= count // 2
    return path.num_bytes


@pytest.mark.parametrize("form", [".warc.gz", ".arc.gz"])
def test_the_work_behind_damaged_members_grows_with_their_number(tmp_path, form):
    few, many = (bytes_read(tmp_path / "a", form, count) for count in (300, 1200))
    assert many < 5 * few


def copied(monkeypatch, file: Path, count: int) -> int:
    """How many bytes go through the window of a file whose records claim all that follows."""
    from hornbook.web.window import Window

    total, plain = 0, Window.reaches

    def reaches(self, place):
        nonlocal total
        before = self.end
        found = plain(self, place)
        total += len(self._data) if self.end > before else 0
        return found

    monkeypatch.setattr(Window, "reaches", reaches)
    file.write_bytes(b"".join(arc_record(number, more=9_000_000) for number in range(count)))
    pages, broken = read(file)
    assert (pages, broken.total()) == ([], count)
    monkeypatch.undo()
    return total


def test_records_that_claim_all_that_follows_are_read_once(tmp_path, monkeypatch):
    few, many = (copied(monkeypatch, tmp_path / "a.arc", count) for count in (3_000, 12_000))
    assert many < 5 * few


def test_bombs_without_end_are_left_when_the_file_gave_what_a_file_may_give(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "FREE_BYTES", 3_000_000)
    monkeypatch.setattr(streams, "MEMBER_FREE_BYTES", 500_000)
    good = [gzip.compress(record(f"http://a/{number}", PAGE)) for number in range(2)]
    bomb = gzip.compress(record("http://a/bomb", b"\0" * 1_500_000))
    file = tmp_path / "a.warc.gz"
    file.write_bytes(good[0] + bomb * 2 + good[1] + bomb * 50)
    pages, broken = read(file, expansion=2)
    assert sources(pages) == ["http://a/0", "http://a/1"]
    assert 2 < broken["zip_bomb"] < 20
    assert broken["truncated_archive"] == 1


def test_a_tar_that_describes_a_member_without_end_is_left(tmp_path):
    file = tmp_path / "a.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for kind in (tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME):
            info = tarfile.TarInfo("a.html")
            content = PAGE if kind == tarfile.REGTYPE else b"x" * 60_000_000
            info.size, info.type = len(content), kind
            tar.addfile(info, io.BytesIO(content))
    tracemalloc.start()
    pages, broken = read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sources(pages), broken) == (["a.html"], {"truncated_archive": 1})
    assert peak < 10_000_000


def test_a_small_table_of_endless_equal_rows_is_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr("hornbook.web.readers.may_expand_to", lambda *_: 2_000_000)
    table = pa.table({"text": pa.array(["word " * 200] * 100_000 + [None] * 100_000)})
    pq.write_table(table, tmp_path / "a.parquet")
    pages, broken = read(tmp_path / "a.parquet")
    assert 1_000 < len(pages) < 3_000
    assert broken == {"zip_bomb": 1}


def test_a_cell_that_is_no_utf_8_costs_its_row_once_and_an_address_nothing(tmp_path):
    raw = pa.array([b"A text.", b"\xff\xfe", b"Another."])
    place = pa.array([b"\xff", b"http://a/1", b"http://a/2"])
    columns = [pa.Array.from_buffers(pa.string(), 3, one.buffers()) for one in (raw, place)]
    pq.write_table(pa.table(columns, names=["text", "url"]), tmp_path / "a.parquet")
    pages, broken = read(tmp_path / "a.parquet")
    assert sources(pages) == ["a.parquet:0", "http://a/2"]
    assert broken == {"broken_text": 1}
