"""Readers on damaged files, drawn from seeds: nothing raises, and what was not damaged is found.

`HORNBOOK_FUZZ=N` draws N files of each form instead of a few.
"""

import gzip
import io
import json
import os
import random
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable
from itertools import groupby, takewhile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.web.archives import Page
from hornbook.web.extract import main_text
from tests.web.test_pages import read, record

CASES = int(os.environ.get("HORNBOOK_FUZZ", "60"))
WORDS = ["water", "river", "sea", "rain", "wind", "stone", "tree", "house", "road", "bridge"]
LENGTH = re.compile(rb"(?<=Content-Length: )\d+|(?<= text/html )\d+")
MOST_GROWTH = 200_000  # KiB that all files of a form may add to the memory of the process


class Piece(NamedTuple):
    """A part of a file: what is found in it, or None, and whether it lies there as it was."""

    name: str | None
    raw: bytes
    is_whole: bool = True


def prose(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(20, 400)))


def html(rng: random.Random) -> bytes:
    body = f"<div class='x'><p>{prose(rng)}</p><a href='http://b/c'>x</a></div>\n"
    return f"<html><body>\n{body * rng.randint(1, 3)}</body></html>\n".encode()


def warc_record(rng: random.Random, name: str) -> bytes:
    kind = rng.choice(["page", "packed", "text"])
    if kind == "page":
        return record(name, html(rng))
    if kind == "text":
        raw, kind, http = prose(rng).encode(), "conversion", "text/plain"
    else:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
        raw, kind = head + gzip.compress(html(rng), mtime=0), "response"
        http = "application/http"
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {name}\r\nContent-Type: {http}\r\n"
    return f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw + b"\r\n\r\n"


def arc_record(rng: random.Random, name: str) -> bytes:
    body = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n" + html(rng)
    return f"{name} 1.2.3.4 20010101000000 text/html {len(body)}\n".encode() + body + b"\n"


def json_row(rng: random.Random, name: str) -> bytes:
    return json.dumps({"text": prose(rng), "url": name}).encode() + b"\n"


def tar_member(rng: random.Random, name: str) -> bytes:
    content, out = html(rng), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name.replace("http://", "") + ".html")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()[: 512 + -(-len(content) // 512) * 512]


def pieces(rng: random.Random, make: Callable[[random.Random, str], bytes]) -> list[Piece]:
    names = [f"http://a/{n}" for n in range(rng.randint(3, 9))]
    return [Piece(name, make(rng, name)) for name in names]


def harmed(rng: random.Random, raw: bytes) -> bytes:
    """Some bytes changed, cut out, put in, or a stated length made another."""
    how = rng.choice(["flip", "flip", "remove", "insert", "zeros", "repeat", "length"])
    start = rng.randrange(len(raw))
    end = min(len(raw), start + 1 + int(rng.expovariate(1 / 80)))
    if how == "length":
        number = LENGTH.search(raw)
        if number:
            new = rng.choice([b"", b"0", b"-1", b"9" * 18, b"%d" % rng.randint(1, 60_000)])
            return raw[: number.start()] + new + raw[number.end() :]
        how = "flip"
    if how == "flip":
        out = bytearray(raw)
        for _ in range(rng.choice([1, 1, 8])):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        return bytes(out)
    if how == "remove":
        return raw[:start] + raw[end:]
    put = {"insert": rng.randbytes(end - start), "zeros": bytes(end - start)}.get(how)
    return raw[:start] + (raw[start:end] if put is None else put) + raw[start:]


def damaged(rng: random.Random, whole: list[Piece]) -> list[Piece]:
    """The pieces after one or two accidents; those that were hit are whole no more."""
    out = list(whole)
    for _ in range(rng.choice([1, 1, 2])):
        how = rng.choice(["harm", "harm", "harm", "over", "swap", "drop", "twice", "cut"])
        at = rng.randrange(len(out))
        if how == "harm":
            out[at] = Piece(out[at].name, harmed(rng, out[at].raw) or b"x", is_whole=False)
        elif how == "over" and at + 1 < len(out):  # what lies over the end of a piece is lost
            first, second = out[at].raw, out[at + 1].raw
            kept, lost = rng.randrange(1, len(first)), rng.randrange(1, len(second))
            out[at : at + 2] = [
                Piece(out[at].name, first[:kept], is_whole=False),
                Piece(out[at + 1].name, second[lost:], is_whole=False),
            ]
        elif how == "swap":
            rng.shuffle(out)
        elif how == "drop" and len(out) > 1:
            del out[at]
        elif how == "twice":
            out.insert(rng.randrange(len(out)), out[at])
        elif how == "cut":
            kept = rng.randrange(1, len(out[at].raw))
            out[at:] = [Piece(out[at].name, out[at].raw[:kept], is_whole=False)]
    return out


def tellable(run: list[Piece]) -> list[Piece]:
    """The pieces of a harmed stretch of which a reader can tell that they are missing."""
    raw = b"".join(one.raw for one in run)
    if b'{"text"' not in raw:
        return run[:1] if is_one_record(raw) else run
    ends = [True, *(one.raw.endswith(b"\n") for one in run)]  # lines glued may be a good one
    return [one for one, *is_line in zip(run, ends, ends[1:], strict=False) if all(is_line)]


def is_one_record(raw: bytes) -> bool:
    """Whether what is left of several has just the length that the head of the first states."""
    stated = LENGTH.search(raw)
    head, end, _ = raw.partition(b"\r\n\r\n" if raw.startswith(b"WARC/") else b"\n")
    if stated is None or stated.end() > len(head):
        return False
    num_bytes = len(head + end) + int(stated[0])
    return len(raw.rstrip(b"\r\n")) <= num_bytes <= len(raw)


def check(found: list[Page], broken: Counter[str], given: list[Piece], sure: list[str]) -> None:
    """All that is sure to be there is found as often as it lies there; what is missing is told."""
    have = Counter(page.source.removesuffix(".html") for page in found)
    want = Counter(sure)
    assert not want - have, (want - have, broken)
    # nobody can tell how many records were in a stretch that is harmed
    runs = [list(run) for is_whole, run in groupby(given, lambda one: one.is_whole) if not is_whole]
    missing = sum(any(one.name not in have for one in tellable(run)) for run in runs)
    renamed = (have - Counter(one.name for one in given)).total()  # the harm was in the address
    assert missing <= sum(broken.values()) + renamed or broken["truncated_archive"], (
        missing,
        broken,
    )
    num_harmed = sum(map(len, runs))
    # bytes put into the middle can end one record and begin another
    assert sum(broken.values()) <= 3 * num_harmed + (1 if num_harmed else 0), broken


@pytest.fixture
def memory():
    # the process's own high-water mark is that of all tests before: it starts again from here
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_kib()
    yield
    assert peak_kib() - before < MOST_GROWTH


def peak_kib() -> int:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


MAKERS = {"warc": warc_record, "arc": arc_record, "jsonl": json_row}


@pytest.mark.parametrize("form", [".warc", ".warc.gz", ".arc", ".arc.gz", ".jsonl"])
def test_records_that_can_be_told_apart_are_found_before_and_behind_a_damage(
    tmp_path, memory, form
):
    for seed in range(CASES):
        rng = random.Random(f"{form} {seed}")
        whole = pieces(rng, MAKERS[form.split(".")[1]])
        if form.endswith(".gz"):
            whole = [Piece(name, gzip.compress(raw, mtime=0)) for name, raw, _ in whole]
        given = damaged(rng, whole)
        file = tmp_path / f"{seed}{form}"
        file.write_bytes(b"".join(piece.raw for piece in given))
        sure = [piece.name for piece in given if piece.is_whole and piece.name]
        if form == ".jsonl":  # a line of which the end was lost takes the next one with it
            sure = [
                piece.name
                for before, piece in zip([None, *given], given, strict=False)
                if piece.is_whole and (before is None or before.raw.endswith(b"\n"))
            ]
        try:
            check(*read(file), given, sure)
        except Exception as error:
            raise AssertionError(f"{form} {seed}") from error


def unpacked(raw: bytes) -> bytes:
    """What gzip gives before it finds a fault, byte by byte."""
    member, out = zlib.decompressobj(31), b""
    for at in range(len(raw)):
        try:
            out += member.decompress(raw[at : at + 1])
        except zlib.error:
            break
    return out


@pytest.mark.parametrize("form", [".warc.gz", ".arc.gz", ".jsonl.gz", ".tar.gz"])
def test_of_one_gzip_stream_all_is_found_that_can_be_unpacked(tmp_path, memory, form):
    makers = MAKERS | {"tar": tar_member}
    for seed in range(CASES):
        rng = random.Random(f"one {form} {seed}")
        whole = pieces(rng, makers[form.split(".")[1]])
        raw = gzip.compress(b"".join(piece.raw for piece in whole), mtime=0)
        raw = harmed(rng, raw) if rng.random() < 0.7 else raw[: rng.randrange(1, len(raw))]
        file = tmp_path / f"{seed}{form}"
        file.write_bytes(raw)
        left, sure = unpacked(raw), []
        for piece in whole:
            if not left.startswith(piece.raw):
                break
            sure.append(piece.name)
            left = left[len(piece.raw) :]
        if len(sure) == 1 and not left.startswith(whole[1].raw[:10]):
            sure = []  # it may be all that is in a damaged member
        found, broken = read(file)
        have = [page.source.removesuffix(".html") for page in found]
        sure = [name.replace("http://", "") if form == ".tar.gz" else name for name in sure]
        assert have[: len(sure)] == sure, f"{form} {seed}: {broken}"
        assert broken or len(have) == len(whole), f"{form} {seed}"


def test_members_of_a_tar_are_found_up_to_a_damaged_header(tmp_path, memory):
    for seed in range(CASES):
        rng = random.Random(f"tar {seed}")
        given = damaged(rng, pieces(rng, tar_member))
        file = tmp_path / f"{seed}.tar"
        file.write_bytes(b"".join(piece.raw for piece in given) + bytes(1024))
        found, broken = read(file)
        have = {page.source.removesuffix(".html") for page in found}
        sure = [one.name.replace("http://", "") for one in takewhile(lambda p: p.is_whole, given)]
        assert have >= set(sure), f"{seed}: {broken}"
        # what is left of neighbours may fit together
        stretches = sum(1 if not is_whole else len(list(run)) for is_whole, run in
                        groupby(given, lambda one: one.is_whole))  # fmt: skip
        assert broken or len(found) >= stretches, seed


def test_row_groups_of_a_table_that_were_not_hit_are_found(tmp_path, memory):
    for seed in range(CASES):
        rng = random.Random(f"parquet {seed}")
        file = tmp_path / f"{seed}.parquet"
        rows = [{"text": prose(rng), "url": f"http://a/{n}"} for n in range(12)]
        kind = rng.choice(["snappy", "zstd", "gzip", "none"])
        pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=3, compression=kind)
        meta = pq.read_metadata(file)
        raw = file.read_bytes()
        end = int.from_bytes(raw[-8:-4], "little") + 8
        place, is_flip = rng.randrange(len(raw)), rng.random() < 0.7
        new = bytearray(raw)
        if is_flip:
            new[place] ^= 1 << rng.randrange(8)
        file.write_bytes(bytes(new) if is_flip else harmed(rng, raw))
        found, broken = read(file)
        texts = {page.text for page in found}
        starts = [min(_places(meta.row_group(g))) for g in range(4)] + [len(raw) - end]
        for group in range(4):
            is_hit = not is_flip or place < 4 or place >= len(raw) - end
            if not is_hit and not starts[group] <= place < starts[group + 1]:
                assert texts >= {row["text"] for row in rows[3 * group : 3 * group + 3]}, seed
        if is_flip and 4 <= place < len(raw) - end:
            assert len(found) + sum(broken.values()) == len(rows), (seed, broken)


def _places(group):
    for number in range(group.num_columns):
        column = group.column(number)
        yield column.data_page_offset
        if column.dictionary_page_offset:
            yield column.dictionary_page_offset


def test_a_damaged_page_is_text_or_none(tmp_path, memory):
    for seed in range(CASES):
        rng = random.Random(f"html {seed}")
        raw = html(rng)
        for _ in range(rng.randint(1, 5)):
            raw = harmed(rng, raw) or b"x"
        is_packed = rng.random() < 0.3
        file = tmp_path / f"{seed}.html{'.gz' if is_packed else ''}"
        file.write_bytes(harmed(rng, gzip.compress(raw, mtime=0)) if is_packed else raw)
        found, broken = read(file)
        assert len(found) + sum(broken.values()) == 1, (seed, broken)
        assert all(isinstance(main_text(page), str) for page in found), seed


def test_undamaged_files_count_nothing(tmp_path):
    for seed in range(3):
        for form, make in (MAKERS | {"tar": tar_member}).items():
            whole = pieces(random.Random(seed), make)
            file = tmp_path / f"{seed}.{form}"
            end = bytes(1024) if form == "tar" else b""
            file.write_bytes(b"".join(piece.raw for piece in whole) + end)
            found, broken = read(file)
            assert (len(found), dict(broken)) == (len(whole), {}), form
