"""Benchmark items in training text: throughput beside MinHash, recall, false alarms.

Items: the published benchmarks in the folder that HORNBOOK_SHARED_DATA names (else
../shared/data) and our own suites in data/benchmarks. Text: web pages and a textbook of the same
folder, and documents of 1.4 kB of their sentences for whole stages. Prints the table of recall
and, as the last line, one JSON object:
mb_per_cpu_s         megabytes of text a CPU-second from texts to hits, hashing included
ratio_to_minhash     the stage's work on documents, from their parquet to the parts that are left,
                     over our whole MinHash stage (signing, bands, comparing) on the same files
ratio_to_signatures  texts to hits over texts to MinHash signatures (112 slots) alone, which is
                     the first step of that stage
code_mb_per_cpu_s    texts to hits for Python modules, whose functions are parsed
index_s              CPU seconds that it takes to make the index, once for a corpus
recall_KIND          of planted copies, for each kind
recall_edited_a, _b  the same of edited copies for two halves of the benchmarks, by the hashes of
                     their names; the thresholds were chosen on all of them, so this says whether
                     one half carries the figure, not what recall an unseen benchmark has
false_positive_rate  of assembled clean texts; real_flagged of real_texts documents are flagged
"""

import gzip
import hashlib
import json
import os
import random
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from planted import document

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("HORNBOOK_SHARED_DATA", ROOT.parent / "shared" / "data"))
KEYS = ("mb_per_cpu_s", "ratio_to_minhash", "recall_exact", "recall_edited", "false_positive_rate")
ROUNDS, STAGE_ROUNDS = 7, 3
DOCUMENTS = 10_000  # of which the whole stages are timed
PLANTED, CONTROLS = 50, 4000


def real_texts() -> list[str]:
    """Web pages and chapters."""
    files = [*sorted(DATA.glob("dclm*/*.gz")), *sorted(DATA.glob("openstax_python/*.gz"))]
    return [
        json.loads(line)["text"]
        for file in files
        for line in gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")
        if line.strip()
    ]


def seconds(work: Callable[..., object], *given: object) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    work(*given)
    return time.process_time() - started


def sentence_documents(texts: Sequence[str]) -> list[str]:
    """Documents of random sentences of the texts, enough that a stage's start does not count."""
    parts = {one for text in texts for one in " ".join(text.split()).split(". ")}
    pool = sorted(one for one in parts if 40 <= len(one) <= 400)
    draw = random.Random(0)
    return [document(pool, draw) for _ in range(DOCUMENTS)]


def text_rates(search: Any, texts: Sequence[str], conf: dict[str, Any]) -> tuple[float, float]:  # noqa: ANN401 - a type of src
    """Megabytes a CPU-second to hits, and to MinHash signatures alone."""
    from pydantic import TypeAdapter

    from hornbook.clean.config import Dedup
    from hornbook.clean.near import signatures
    from hornbook.clean.words import hash_words, shingle_sets

    dedup = TypeAdapter(Dedup).validate_python(conf["dedup"]["web"])

    def minhash(texts: Sequence[str]) -> None:
        signatures(shingle_sets(hash_words(texts), dedup.shingle_words), dedup)

    search(texts)  # what is made once is made before
    minhash(texts)
    size = megabytes(texts)
    pairs = [(seconds(search, texts), seconds(minhash, texts)) for _ in range(ROUNDS)]
    ours, theirs = map(statistics.median, zip(*pairs, strict=True))
    return size / ours, size / theirs


def stage_rates(search: Any, texts: Sequence[str], conf: dict[str, Any]) -> tuple[float, float]:  # noqa: ANN401 - a type of src
    """Megabytes a CPU-second of both stages."""
    from hornbook.clean.search import save

    with tempfile.TemporaryDirectory() as name:
        save(search, Path(name))
        stage_seconds(texts[:100], conf, Path(name))
        pairs = [stage_seconds(texts, conf, Path(name)) for _ in range(STAGE_ROUNDS)]
    ours, theirs = map(statistics.median, zip(*pairs, strict=True))
    return megabytes(texts) / ours, megabytes(texts) / theirs


def megabytes(texts: Sequence[str]) -> float:
    """In UTF-8."""
    return sum(len(text.encode()) for text in texts) / 1e6


def stage_seconds(texts: Sequence[str], conf: dict[str, Any], index: Path) -> tuple[float, float]:
    """CPU seconds of our stage's work and of the MinHash stage, from parquet."""
    sys.path.insert(0, str(ROOT))
    from hornbook.artifacts import shards, write_documents
    from hornbook.clean.decontaminate import clean_shard
    from hornbook.clean.dedup import dedup
    from hornbook.compute import Shard, map_shards
    from tests.made_run import made_run

    # progress is no result
    with tempfile.TemporaryDirectory() as name, redirect_stdout(sys.stderr):
        folder = Path(name)
        rows = [{"id": str(n), "text": text, "source": "s"} for n, text in enumerate(texts)]
        reads = ["artifacts/web/filtered"]
        reads += [f"artifacts/clean/dedup/{one}" for one in ("books", "code")]
        for one in reads:
            write_documents(folder / one, rows if one == reads[0] else [])
        run = made_run(folder, "dedup@web", reads=reads, params={"clean": conf})
        run.expect = lambda *_: None  # the gate is Great Expectations' time
        theirs = seconds(dedup, run)
        settings = decontaminate_settings(conf)
        work = partial(clean_shard, settings=settings, index=str(index))
        run = made_run(folder, "decontaminate@web", reads=reads[:1], params={"clean": conf})
        files = shards(folder / reads[0])
        parts = [Shard(file.stem, str(file), file.stat().st_size) for file in files]
        ours = seconds(map_shards, run, "looking for benchmark items", work, parts)
        return ours, theirs


def decontaminate_settings(conf: dict[str, Any]) -> Any:  # noqa: ANN401 - a type of src
    """The stage's settings, with the bench's number of plants."""
    from pydantic import TypeAdapter

    from hornbook.clean.config import Decontaminate

    settings = TypeAdapter(Decontaminate).validate_python(conf["decontaminate"])
    return replace(settings, recall=replace(settings.recall, items=PLANTED, controls=CONTROLS))


def halves(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Recall of edited copies for the benchmarks of each of two halves."""
    found: dict[str, list[tuple[int, int]]] = {"a": [], "b": []}
    for row in rows:
        if row["kind"] == "edited":
            half = "ab"[hashlib.sha256(row["benchmark"].encode()).digest()[0] % 2]
            found[half].append((row["found"], row["planted"]))
    return {
        f"recall_edited_{half}": sum(one for one, _ in pairs) / sum(all_ for _, all_ in pairs)
        for half, pairs in found.items()
        if pairs
    }


def main() -> None:
    """Measure, print."""
    if not DATA.exists():
        print(f"skipped: no benchmarks at {DATA}; HORNBOOK_SHARED_DATA names their folder")
        print(json.dumps(dict.fromkeys(KEYS)))
        return
    from hornbook.clean import recall
    from hornbook.clean.search import Search
    from hornbook.compose import compose
    from hornbook.evaluate.texts import benchmark_items

    conf = compose(ROOT, ["clean=paper"])["clean"]
    settings = decontaminate_settings(conf)
    items = [*benchmark_items(DATA), *benchmark_items(ROOT / "data/benchmarks")]
    started = time.process_time()
    search = Search.of(items, settings)
    index_s = time.process_time() - started
    texts = real_texts()
    made = sentence_documents(texts)
    rates = text_rates(search, texts, conf)
    stages = stage_rates(search, made, conf)
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    code = [file.read_text("utf-8", "replace") for file in modules]
    code_rate = sum(map(len, code)) / 1e6 / seconds(search, code)
    print(f"{'MB/CPU-s':<22}{'MB':>7}{'ours':>8}{'MinHash':>10}")
    print(f"{'hits, signatures':<22}{megabytes(texts):>7.1f}{rates[0]:>8.1f}{rates[1]:>10.1f}")
    print(f"{'whole stages':<22}{megabytes(made):>7.1f}{stages[0]:>8.1f}{stages[1]:>10.1f}")
    print(f"index of {len(items):,} items in {index_s:.1f} CPU-s")
    found = recall.measure(items, search, settings)
    print(recall.table(found))
    flagged = sum(recall.is_flagged(one) for one in search(texts))
    print(f"{flagged} of {len(texts)} real texts, {len(code)} modules at {code_rate:.1f} MB/CPU-s")
    result = {
        "mb_per_cpu_s": round(rates[0], 2),
        "ratio_to_minhash": round(stages[0] / stages[1], 3),
        "ratio_to_signatures": round(rates[0] / rates[1], 3),
        "code_mb_per_cpu_s": round(code_rate, 2),
        "index_s": round(index_s, 1),
        "false_positive_rate": found.false_positive_rate,
        "real_flagged": flagged,
        "real_texts": len(texts),
    }
    result |= {f"recall_{kind}": found.of(kind) for kind in recall.PLANTED} | halves(found.rows)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
