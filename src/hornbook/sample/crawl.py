"""The pages as WARC files with fixed dates and ids, and with the faults that crawls have."""

import gzip
import html as entities
import random
import uuid
from collections.abc import Iterator

from hornbook.sample.grammar import bank
from hornbook.sample.layout import html
from hornbook.sample.pages import WebPage, kind_of, page

DATE = "2024-01-01T00:00:00Z"
PLAIN_PAGES = 40
COPIED = {"explainer", "news", "garden", "diary"}


def record(
    url: str | None, payload: bytes, *, status: str = "200 OK", kind: str = "text/html",
    encoding: str = "", declared: int | None = None,
) -> bytes:  # fmt: skip
    """A response record; `declared` is a wrong length where it is given."""
    coded = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    http = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{coded}\r\n".encode() + payload
    length = len(http) if declared is None else declared
    target = f"WARC-Target-URI: {url}\r\n" if url else ""
    content = "application/http; msgtype=response"
    return block("response", http, f"{target}Content-Type: {content}\r\n", str(url), length)


def block(kind: str, body: bytes, headers: str, name: str, length: int) -> bytes:
    """Any record, its id made from `name`."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {name}")
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{identity}>\r\n"
        f"WARC-Date: {DATE}\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def drawn(seed: int, *names: object) -> random.Random:
    """A random stream of its own for each name: one more page never changes another."""
    return random.Random("/".join(map(str, (seed, *names))))  # noqa: S311 - not a secret


def encoded(one: WebPage, rng: random.Random) -> bytes:
    """The page as bytes; half of those in other languages are not in UTF-8."""
    is_latin = one.kind in {"german", "french", "spanish"} and rng.random() < 0.5
    charset = "iso-8859-1" if is_latin else "utf-8"
    return entities.unescape(html(one, rng, charset=charset)).encode(charset)


def pages(count: int, seed: int) -> Iterator[bytes]:
    """Records of `count` pages, some followed by a copy, an altered copy or a print version."""
    sites = bank()["site"]
    for number in range(count):
        rng = drawn(seed, "page", number)
        one = page(kind_of(number), rng)
        site = rng.choice(sites)
        yield record(f"http://{site}.example/{one.kind}/{number}.html", encoded(one, rng))
        if number % 13 == 0 and one.kind in COPIED:
            copy = (one, altered(one), one._replace(title=f"Print: {one.title}"))[number // 13 % 3]
            yield record(f"http://mirror.example/{one.kind}/{number}.html", encoded(copy, rng))


def altered(one: WebPage) -> WebPage:
    """A near duplicate: one paragraph with another last word, and a line of its own."""
    first, _, _ = one.paragraphs[-1].rpartition(" ")
    return one._replace(paragraphs=(*one.paragraphs[:-1], f"{first} indeed."))


def faults(seed: int) -> dict[str, bytes]:
    """Records that a reader has to survive, by what is wrong with them."""
    rng = drawn(seed, "faults")
    text = html(page("explainer", rng), rng)
    good, url = text.encode(), "http://faults.example"
    zipped = gzip.compress(good, 9, mtime=0)
    umlauts = entities.unescape(html(page("german", rng), rng)).encode("iso-8859-1")
    unknown = text.replace("utf-8", "no-such-charset").encode()
    request = b"GET / HTTP/1.1\r\nHost: faults.example\r\n\r\n"
    return {
        "not_found": record(f"{url}/gone", b"<p>gone</p>", status="404 Not Found"),
        "moved": record(f"{url}/moved", b"", status="301 Moved Permanently"),
        "server_error": record(f"{url}/error", good, status="500 Internal Server Error"),
        "image": record(f"{url}/image", b"\x89PNG\r\n\x1a\n\x00", kind="image/png"),
        "json": record(f"{url}/api", b'{"text": "not a page"}', kind="application/json"),
        "empty_body": record(f"{url}/empty", b""),
        "blank_body": record(f"{url}/blank", b" \r\n\t\n"),
        "unknown_charset": record(f"{url}/charset", unknown, kind="text/html; charset=x-none"),
        "wrong_charset": record(f"{url}/latin", umlauts, kind="text/html; charset=utf-8"),
        "utf_16": record(f"{url}/wide", text.encode("utf-16")),
        "zero_bytes": record(f"{url}/zero", good.replace(b"<p>", b"\x00<p>\x00")),
        "unclosed": record(f"{url}/unclosed", good[: len(good) // 2]),
        "no_address": record(None, good),
        "broken_gzip_body": record(f"{url}/zip", zipped[: len(zipped) // 2], encoding="gzip"),
        "request": block(
            "request", request, "Content-Type: application/http\r\n", url, len(request)
        ),
        "length_too_small": record(f"{url}/small", good, declared=len(good) // 2),
        "length_too_large": record(f"{url}/large", good, declared=len(good) + 5000),
        "length_not_a_number": record(f"{url}/length", good).replace(
            b"\r\nContent-Length: ", b"\r\nContent-Length: many", 1
        ),
    }


def compressed(records: list[bytes]) -> bytes:
    """A .warc.gz: every record a member of its own, without a time."""
    return b"".join(gzip.compress(one, 9, mtime=0) for one in records)


def files(count: int, seed: int) -> dict[str, bytes]:
    """File names with their bytes: compressed ones, and a plain one."""
    about = b"software: hornbook sample\r\nformat: WARC File Format 1.0\r\n"
    fields = "Content-Type: application/warc-fields\r\n"
    info = block("warcinfo", about, fields, "about", len(about))
    rows = list(pages(count, seed))
    plain, rows = rows[:PLAIN_PAGES], rows[PLAIN_PAGES:]
    half = len(rows) // 2
    return {
        "crawl-00000.warc.gz": compressed([info, *rows[:half]]),
        "crawl-00001.warc.gz": compressed([info, *rows[half:]]),
        "crawl-00002.warc.gz": compressed([info, *faults(seed).values()]),
        "crawl-00003.warc": info + b"".join(plain),
    }
