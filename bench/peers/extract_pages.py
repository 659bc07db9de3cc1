"""Main text of every page of a folder by one extractor: NAME FOLDER OUT; CPU seconds of each run.

Runs in the environment of its peer; pages are read before the clock starts.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUNS = 3


def extractor(name: str) -> Callable[[bytes], str]:
    """A function from HTML bytes to text."""
    if name == "trafilatura":
        from trafilatura import extract

        return lambda html: extract(html, fast=True, include_comments=False) or ""
    if name == "resiliparse":
        from resiliparse.extract.html2text import extract_plain_text
        from resiliparse.parse.encoding import bytes_to_str, detect_encoding

        return lambda html: extract_plain_text(
            bytes_to_str(html, detect_encoding(html)), main_content=True, alt_texts=False
        )
    from hornbook.web.archives import Page
    from hornbook.web.extract import main_text

    return lambda html: main_text(Page("", html, None, None))


def main(name: str, folder: Path, out: Path) -> None:
    """Extract, write the texts, print the seconds."""
    extract = extractor(name)
    pages = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
    for html in list(pages.values())[:5]:
        extract(html)
    seconds: list[float] = []
    for _ in range(RUNS):
        started = time.process_time()
        texts = {key: extract(html) for key, html in pages.items()}
        seconds.append(time.process_time() - started)
    out.write_text(json.dumps(texts), encoding="utf-8")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
