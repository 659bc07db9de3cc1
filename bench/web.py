"""Main text of labelled pages and quality rules, ours beside peers', in CPU time.

Main text beside trafilatura (fast) and resiliparse; rules beside datatrove's, see rules.py. Pages:
the article-extraction benchmark (181) and Mozilla's readability tests (130), from the
folder that HORNBOOK_SHARED_DATA names (else ../shared/data). Prints a table and, as the last line,
one JSON object:
extraction_ratio      pages per CPU-second, ours over trafilatura's
extraction_f1         on the half of the benchmark's pages that our constants were not tuned on
extraction_f1_peer    trafilatura on the same half
readability_f1        on Mozilla's pages; readability_f1_peer likewise
rules_ratio           documents per CPU-second, ours over datatrove's, through all four filters
rules_agreement       share of real documents on which every single rule, every filter and the text
                      that is kept are datatrove's; rules_agreement_made: of made ones, rules only
"""

import gzip
import html
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import rules
from peer import HERE, PEERS, python_of

sys.path.insert(0, str(HERE.parent))
from tests.web.articles import f1

DATA = Path(os.environ.get("HORNBOOK_SHARED_DATA", HERE.parent.parent / "shared" / "data"))
TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)
KEYS = (
    "extraction_ratio",
    "extraction_f1",
    "extraction_f1_peer",
    "readability_f1",
    "readability_f1_peer",
    *rules.KEYS,
)
NAMES = ("hornbook", "trafilatura", "resiliparse")


def unpack(archive: Path, folder: Path) -> None:
    """Every regular file of a .tar.zst."""
    import pyarrow as pa

    with pa.CompressedInputStream(pa.OSFile(str(archive)), "zstd") as stream:
        content = io.BytesIO(stream.read())
    with tarfile.open(fileobj=content) as tar:
        tar.extractall(folder, filter="data")


def articles(folder: Path) -> tuple[Path, dict[str, str]]:
    """The benchmark's pages and what their articles say."""
    source = DATA / "web_scrapinghub_aeb"
    unpack(source / "html.tar.zst", folder)
    truth = json.loads(gzip.decompress((source / "ground-truth.json.gz").read_bytes()))
    place = next(folder.rglob("*.html")).parent
    return place, {f"{key}.html": row.get("articleBody", "") for key, row in truth.items()}


def readability(folder: Path) -> tuple[Path, dict[str, str]]:
    """Mozilla's pages and the text of what its tests expect."""
    unpack(DATA / "web_readability" / "test-pages.tar.zst", folder / "all")
    pages = folder / "pages"
    pages.mkdir()
    truth: dict[str, str] = {}
    for source in sorted((folder / "all").rglob("source.html")):
        name = f"{source.parent.name}.html"
        source.rename(pages / name)
        expected = (source.parent / "expected.html").read_text("utf-8")
        truth[name] = html.unescape(TAG.sub(" ", expected))
    return pages, truth


def score(truth: dict[str, str], found: dict[str, str], names: list[str]) -> float:
    """F1 over some of the pages."""
    return f1((truth[name], found[name]) for name in names)


def extracted(name: str, pages: Path, out: Path) -> tuple[dict[str, str], list[float]]:
    """Texts and CPU seconds of each run."""
    python = python_of(name) if name == "trafilatura" else Path(sys.executable)
    command = [str(python), str(PEERS / "extract_pages.py"), name, str(pages), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(out.read_text("utf-8")), json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print."""
    if not DATA.exists():
        print(f"skipped: no labelled pages at {DATA}; HORNBOOK_SHARED_DATA names their folder")
        print(json.dumps(dict.fromkeys(KEYS)))
        return
    result: dict[str, float] = {}
    print(f"{'pages':<14}{'extractor':<14}{'pages/CPU-s':>12}{'spread':>8}{'F1':>8}{'F1 kept':>9}")
    with tempfile.TemporaryDirectory() as name:
        for what, prepare in (("articles", articles), ("readability", readability)):
            folder = Path(name) / what
            folder.mkdir()
            pages, truth = prepare(folder)
            keys = sorted(truth)
            kept = [k for k in keys if what == "readability" or int(k[:2], 16) % 2]
            speeds: dict[str, float] = {}
            for peer in NAMES:
                found, seconds = extracted(peer, pages, folder / f"{peer}.json")
                rates = [len(keys) / one for one in seconds]
                speeds[peer] = statistics.median(rates)
                whole, half = score(truth, found, keys), score(truth, found, kept)
                print(f"{what:<14}{peer:<14}{speeds[peer]:>12.0f}{max(rates) - min(rates):>8.0f}"
                      f"{whole:>8.3f}{half:>9.3f}", flush=True)  # fmt: skip
                prefix = "extraction" if what == "articles" else "readability"
                if peer != "resiliparse":
                    end = "_f1" if peer == "hornbook" else "_f1_peer"
                    result[prefix + end] = round(half, 4)
            if what == "articles":
                result["extraction_ratio"] = round(speeds["hornbook"] / speeds["trafilatura"], 2)
    print(json.dumps(result | rules.measured(DATA)))


if __name__ == "__main__":
    main()
