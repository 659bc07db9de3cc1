"""From archives, good and damaged, to judged text."""

import gzip
from dataclasses import replace

import pytest
import yaml
from pydantic import TypeAdapter

from hornbook.web.archives import Page, Reading
from hornbook.web.config import Limits, Rules
from hornbook.web.extract import language, main_text, mask
from hornbook.web.readers import reader_of
from hornbook.web.rules import judge
from tests.conftest import ROOT

CONF = yaml.safe_load((ROOT / "conf" / "web" / "laptop.yaml").read_text())["corpus"]
RULES = TypeAdapter(Rules).validate_python(CONF["rules"])
SENTENCE = "The water of the river runs to the sea and that is why we have rain with the wind. "


def read(file, **limits):
    reading = Reading(Limits(**({"page_bytes": 10_000_000, "expansion": 200} | limits)))
    reader = reader_of(file.name)
    assert reader is not None, file
    return list(reader(file, reading)), reading.broken


def record(url: str, body: bytes, status: str = "200 OK", kind: str = "text/html") -> bytes:
    http = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode() + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
    head += "WARC-Record-ID: <urn:uuid:1>\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
    head += f"Content-Type: application/http\r\nContent-Length: {len(http)}\r\n\r\n"
    return head.encode() + http + b"\r\n\r\n"


def test_records_that_are_no_page_are_counted_under_their_reason(tmp_path):
    file = tmp_path / "a.warc"
    file.write_bytes(
        record("http://a/1", b"<p>one</p>")
        + record("http://a/2", b"gone", status="404 Not Found")
        + record("http://a/3", b"png", kind="image/png")
        + record("http://a/4", b"")
    )
    pages, broken = read(file)
    assert [page.source for page in pages] == ["http://a/1"]
    assert broken == {"not_ok": 1, "not_html": 1, "empty_body": 1}


def test_what_comes_before_a_break_is_kept(tmp_path):
    whole = [gzip.compress(record(f"http://a/{n}", b"<p>page</p>" * 50)) for n in range(4)]
    file = tmp_path / "cut.warc.gz"
    file.write_bytes(b"".join(whole)[: -len(whole[-1]) // 2])
    pages, _ = read(file)
    assert [page.source for page in pages][:3] == ["http://a/0", "http://a/1", "http://a/2"]


@pytest.mark.parametrize("name", ["a.html", "a.warc.gz", "a.jsonl", "a.parquet", "a.tar.gz"])
def test_an_empty_file_yields_no_page_and_no_exception(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert read(tmp_path / name)[0] == []


def test_a_wrong_charset_does_not_stop_extraction():
    html = f"<html><meta charset='no-such'><body><article><p>{SENTENCE * 5}</p></article></body>"
    assert "The water of the river" in main_text(Page("u", html.encode(), None, "also-none"))


@pytest.mark.parametrize(
    ("url", "text", "changed", "reason"),
    [
        ("http://a/", SENTENCE * 6, {}, None),
        ("http://a/casino/1", SENTENCE * 6, {}, "blocked_url"),
        ("http://a/", SENTENCE * 2, {}, "too_short"),
        ("http://a/", SENTENCE * 6, {"max_words": 50}, "too_long"),
        ("http://a/", SENTENCE * 6, {"min_mean_word_length": 9.0}, "word_length"),
        ("http://a/", "1 2 3 4 " * 20, {"min_mean_word_length": 1.0}, "alpha_words"),
        ("http://a/", "cats drink milk daily. " * 20, {"max_top_bigram": 1.0}, "stop_words"),
        ("http://a/", "the milk and cats drink " * 20, {"max_top_bigram": 1.0}, "sentences"),
        ("http://a/", (SENTENCE + "\n") * 6, {"max_top_bigram": 1.0}, "duplicate_lines"),
        ("http://a/", SENTENCE * 6 + "Lorem ipsum.", {}, "forbidden"),
        ("http://a/", SENTENCE * 6 + "You are all idiots.", {}, "toxic"),
    ],
)
def test_a_page_is_dropped_under_the_rule_it_breaks(url, text, changed, reason):
    assert judge(url, text, replace(RULES, **changed)) == reason


def test_personal_data_is_masked_and_counted():
    text = "write to a.b@example.org or +1 202 555 0123, server 192.0.2.7, key ghp_" + "a" * 30
    masked, count = mask(text)
    assert count == 4
    assert masked == "write to <email> or <phone>, server <ip>, key <key>"


def test_languages_are_told_apart_offline():
    assert language(SENTENCE * 3)[0] == "en"
    assert (
        language("Der Zug nach Norden hat heute wieder eine halbe Stunde Aufenthalt. " * 3)[0]
        == "de"
    )


@pytest.mark.parametrize(
    ("name", "count"),
    [("web_scrapinghub_aeb/html.tar.zst", 181), ("web_readability/test-pages.tar.zst", 130)],
)
def test_real_pages_have_main_text(shared, name, count):
    pages, _ = read(shared / name)
    texts = [main_text(page) for page in pages]
    assert len(pages) == count
    assert sum(len(text.split()) > 50 for text in texts) > 0.9 * count


def test_real_archives_are_read_also_where_they_are_damaged(shared):
    found = {file.name: len(read(file)[0]) for file in sorted((shared / "warc_samples").iterdir())
             if reader_of(file.name) is not None}  # fmt: skip
    assert found["example.warc.gz"] == found["example.warc"] >= 1
    assert sum(found.values()) >= 5
