"""More pages, in other forms in which crawls are handed on: ARC, FineWeb, RefinedWeb, a list."""

import gzip
import io
import json

from hornbook.sample.crawl import drawn, encoded
from hornbook.sample.grammar import bank
from hornbook.sample.pages import WebPage, kind_of, page

EACH = 40
FIRST = 1_000_000  # numbers of pages that the crawl does not reach
LIST = """# What lies elsewhere is listed like this; here it is a data set beside the list.
- dataset: refinedweb
  split: train
"""


def forms(seed: int) -> dict[str, bytes]:
    """File names below `web/` with their bytes."""
    found = [one(number, seed) for number in range(FIRST, FIRST + 3 * EACH)]
    return {
        "archive-2001.arc.gz": arc(found[:EACH], seed),
        "fineweb-00000.parquet": fineweb(found[EACH : 2 * EACH]),
        "refinedweb/train-00000-of-00001.jsonl.gz": refinedweb(found[2 * EACH :]),
        "refinedweb.sources.yaml": LIST.encode(),
    }


def one(number: int, seed: int) -> tuple[str, WebPage]:
    """A page and its address."""
    rng = drawn(seed, "page", number)
    made = page(kind_of(number), rng)
    return f"http://{rng.choice(bank()['site'])}.example/{made.kind}/{number}.html", made


def text_of(made: WebPage) -> str:
    """The page as somebody else's extraction would have left it."""
    return "\n".join((made.title, *made.paragraphs))


def arc(found: list[tuple[str, WebPage]], seed: int) -> bytes:
    """An archive of the form that Common Crawl had until 2012."""
    version = b"1 0 hornbook\nURL IP-address Archive-date Content-type Archive-length\n\n"
    records = [arc_record("filedesc://archive-2001.arc", "text/plain", version)]
    for url, made in found:
        body = encoded(made, drawn(seed, "arc", url))
        head = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"
        records.append(arc_record(url, "text/html", head + body))
    return b"".join(gzip.compress(record, 9, mtime=0) for record in records)


def arc_record(url: str, kind: str, content: bytes) -> bytes:
    """One record; the address is of a network that is kept for examples."""
    return f"{url} 192.0.2.1 20010101000000 {kind} {len(content)}\n".encode() + content + b"\n"


def fineweb(found: list[tuple[str, WebPage]]) -> bytes:
    """A table with FineWeb's columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"text": text_of(made), "id": f"<urn:example:{url}>", "dump": "sample", "url": url}
        | {"file_path": "none", "language": "en", "language_score": 0.9}
        for url, made in found
    ]
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), content, compression="zstd")
    return content.getvalue()


def refinedweb(found: list[tuple[str, WebPage]]) -> bytes:
    """Lines with RefinedWeb's columns."""
    rows = [{"url": url, "content": text_of(made), "dump": "sample"} for url, made in found]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return gzip.compress(lines.encode(), 9, mtime=0)
