"""From archives, good and damaged, to judged text."""

import gzip

import pytest

from hornbook.web.archives import Page, Reading
from hornbook.web.config import Limits
from hornbook.web.extract import language, main_text
from hornbook.web.readers import reader_of

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


LANGUAGES = {
    "de": "Der Zug nach Norden hat heute wieder eine halbe Stunde Aufenthalt, weil an der Strecke "
    "gebaut wird, und wir warten am Bahnsteig auf die Kinder, die noch etwas essen wollen.",
    "fr": "Le train pour le nord est encore en retard parce que des travaux sont en cours, et "
    "nous attendons sur le quai avec les enfants qui voudraient manger quelque chose.",
    "es": "El tren hacia el norte llega tarde otra vez porque hay obras, y nosotros "
    "esperamos en la calle con los hijos, que quieren comer alguna cosa antes de subir.",
    "it": "Il treno per il nord oggi arriva di nuovo in ritardo per i lavori sulla linea, e "
    "noi aspettiamo sul binario con i bambini che vogliono ancora mangiare qualcosa.",
    "nl": "De trein naar het noorden is weer te laat omdat er aan het spoor wordt gewerkt, en "
    "wij wachten op het perron op de kinderen die nog iets willen eten.",
    "en": "The train to the north is late again because they are working on the line, and we "
    "wait on the platform for the children, who would still like to eat something.",
}


@pytest.mark.parametrize("code", LANGUAGES)
def test_languages_are_told_apart_offline_from_a_sentence_or_two(code):
    found, rank = language(LANGUAGES[code])
    assert found == code
    assert rank <= 1200


def test_a_few_words_have_no_language():
    assert language("OK, menu 7") == ("unknown", 0)


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
