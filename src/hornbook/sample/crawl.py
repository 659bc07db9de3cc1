"""The pages as WARC files with fixed dates and ids, and with the faults that crawls have."""

import gzip
import random
import uuid
from collections.abc import Iterator

from hornbook.sample.pages import WebPage, draw, explainer, html

DATE = "2024-01-01T00:00:00Z"


def record(url: str, payload: bytes, *, status: str = "200 OK", kind: str = "text/html",
           declared: int | None = None) -> bytes:  # fmt: skip
    """A response record; `declared` is a wrong length where it is given."""
    http = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode() + payload
    name = uuid.uuid5(uuid.NAMESPACE_URL, url)
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: {DATE}\r\n"
        f"WARC-Record-ID: <urn:uuid:{name}>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {declared if declared is not None else len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def pages(count: int, seed: int) -> Iterator[tuple[str, WebPage, bytes]]:
    """(url, page, html): drawn pages, one in twelve followed by an exact or near copy of it."""
    rng = random.Random(f"crawl/{seed}")  # noqa: S311 - not a secret
    for number in range(count):
        page = draw(rng)
        url = f"http://www.site{number % 97}.example/{page.kind}/{number}.html"
        charset = "iso-8859-1" if page.kind in {"german", "french"} and number % 2 else "utf-8"
        yield url, page, html(page, rng, charset)
        if number % 12 == 0 and page.kind in {"explainer", "news", "howto"}:
            copy = page
            if number % 24:
                last = page.paragraphs[-1].replace("the", "this", 1)
                copy = page._replace(paragraphs=[*page.paragraphs[:-1], last])
            yield f"http://mirror.example/{number}.html", copy, html(copy, rng)


def faults() -> Iterator[bytes]:
    """Records that a reader has to survive."""
    rng = random.Random("faults")  # noqa: S311 - not a secret
    good = html(explainer(rng), rng)
    yield record("http://faults.example/gone", b"<p>gone</p>", status="404 Not Found")
    yield record("http://faults.example/image", b"\x89PNG\r\n", kind="image/png")
    yield record("http://faults.example/empty", b"")
    yield record("http://faults.example/charset", good.replace(b"utf-8", b"no-such-charset"))
    yield record("http://faults.example/unclosed", good[: len(good) // 2])


def compressed(records: list[bytes]) -> bytes:
    """A .warc.gz: every record a member of its own, without a time."""
    return b"".join(gzip.compress(one, 9, mtime=0) for one in records)


def files(count: int, seed: int) -> dict[str, bytes]:
    """File names with their bytes: compressed ones, a plain one, and one that breaks off."""
    rows = [record(url, body) for url, _, body in pages(count, seed)]
    part = max(1, len(rows) // 4)
    last = rows[3 * part :]
    cut = record("http://faults.example/truncated", b"<p>this record breaks off", declared=99999)
    return {
        "crawl-00000.warc.gz": compressed(rows[:part]),
        "crawl-00001.warc.gz": compressed(rows[part : 2 * part]),
        "crawl-00002.warc.gz": compressed([*faults(), *rows[2 * part : 3 * part]]),
        "crawl-00003.warc.gz": compressed([*last[:-20]]),
        "crawl-00004.warc": b"".join(last[-20:]) + cut[:-30],
    }
