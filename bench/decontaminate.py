"""Benchmark items in training text: throughput beside MinHash signatures, recall, false alarms.

Items: the published benchmarks in the folder that HORNBOOK_SHARED_DATA names (else
../shared/data) and our own suites in data/benchmarks. Text: web pages and a textbook of the same
folder. Prints the table of recall and, as the last line, one JSON object:
mb_per_cpu_s         megabytes of text a CPU-second, hashing included
ratio_to_minhash     that over MinHash signatures (112 slots) of the same text in the same run
code_mb_per_cpu_s    the same for Python modules, whose functions are parsed
recall_KIND          of planted copies, for each kind
false_positive_rate  of assembled clean texts; real_flagged of real_texts documents are flagged
"""

import gzip
import json
import os
import statistics
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("HORNBOOK_SHARED_DATA", ROOT.parent / "shared" / "data"))
KEYS = ("mb_per_cpu_s", "ratio_to_minhash", "recall_exact", "recall_edited", "false_positive_rate")
ROUNDS = 7
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


def seconds(work, *given) -> float:  # noqa: ANN001, ANN002 - whatever is measured
    """CPU seconds of one call."""
    started = time.process_time()
    work(*given)
    return time.process_time() - started


def main() -> None:
    """Measure, print."""
    if not DATA.exists():
        print(f"skipped: no benchmarks at {DATA}; HORNBOOK_SHARED_DATA names their folder")
        print(json.dumps(dict.fromkeys(KEYS)))
        return
    from pydantic import TypeAdapter

    from hornbook.clean import recall
    from hornbook.clean.config import Decontaminate, Dedup
    from hornbook.clean.near import signatures
    from hornbook.clean.search import Search
    from hornbook.clean.words import hash_words, shingle_sets
    from hornbook.compose import compose
    from hornbook.evaluate.texts import benchmark_items

    conf = compose(ROOT, ["clean=paper"])["clean"]
    settings = TypeAdapter(Decontaminate).validate_python(conf["decontaminate"])
    dedup = TypeAdapter(Dedup).validate_python(conf["dedup"]["web"])
    settings = replace(settings, recall=replace(settings.recall, items=PLANTED, controls=CONTROLS))
    items = [*benchmark_items(DATA), *benchmark_items(ROOT / "data/benchmarks")]
    search = Search.of(items, settings)
    texts = real_texts()
    size = sum(len(text.encode()) for text in texts) / 1e6

    def minhash(texts: list[str]) -> None:
        signatures(shingle_sets(hash_words(texts), dedup.shingle_words), dedup)

    search(texts)  # what is made once is made before
    minhash(texts)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(size / seconds(search, texts))
        theirs.append(size / seconds(minhash, texts))
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    code = [file.read_text("utf-8", "replace") for file in modules]
    code_rate = sum(map(len, code)) / 1e6 / seconds(search, code)
    print(f"{'text':<10}{'MB':>7}{'ours MB/CPU-s':>15}{'MinHash':>10}")
    rates = tuple(map(statistics.median, (ours, theirs)))
    print(f"{'web':<10}{size:>7.1f}{rates[0]:>15.1f}{rates[1]:>10.1f}")
    found = recall.measure(items, search, settings)
    print(recall.table(found))
    flagged = sum(recall.is_flagged(one) for one in search(texts))
    print(f"{flagged} of {len(texts)} real texts, {len(code)} modules at {code_rate:.1f} MB/CPU-s")
    result = {
        "mb_per_cpu_s": round(rates[0], 2),
        "ratio_to_minhash": round(rates[0] / rates[1], 3),
        "code_mb_per_cpu_s": round(code_rate, 2),
        "false_positive_rate": found.false_positive_rate,
        "real_flagged": flagged,
        "real_texts": len(texts),
    }
    print(json.dumps(result | {f"recall_{kind}": found.of(kind) for kind in recall.PLANTED}))


if __name__ == "__main__":
    main()
