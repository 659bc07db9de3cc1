"""Encoding beside `tokenizers` and batches beside litdata and mosaicml-streaming, in CPU time.

Encoding: CodeGen's vocabulary (GPT-2's files with runs of blanks) on textbooks, web pages and
Python code; `encode_batch_fast` in one thread, without the time to take the ids out of its
results. Loading: batches of 8 sequences of 2,048 tokens of 20.5 million, shuffled, several times
over in a fresh process; ours as 64-bit ids, as a model takes them, the peers' as they give them.
Prints tables and, as the last line, one JSON object:
ratio          MB per CPU-second, ours over encode_batch_fast, over all texts
same_ids       share of texts with the same ids
loader_ratio   batches per CPU-second, ours over litdata's; loader_ratio_streaming likewise
loader_rss_mb  largest memory of our loader, and loader_rss_mb_10x with a corpus ten times as large
"""

import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}

import numpy as np
from peer import HERE, PEERS, python_of

sys.path.insert(0, str(HERE.parent / "src"))
from hornbook.artifacts import write_json
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.published import from_files
from hornbook.tokens.vocabulary import Vocabulary, fit, hugging_face, save

DATA = Path(os.environ.get("HORNBOOK_SHARED_DATA", HERE.parent.parent / "shared" / "data"))
EOS = "<|endoftext|>"
RUNS = 3
TOKENS = 20_500_000  # 1,250 batches an epoch
# what each script is told: batches, or epochs; streaming is too slow for more
MUCH = {"hornbook": 12_500, "litdata": 10, "streaming": 2}
MOST_BYTES = 8_000_000  # of each kind of text


def code() -> list[str]:
    """The standard library's modules."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    return [file.read_text("utf-8") for file in files]


def prose(data: Path) -> dict[str, list[str]]:
    """Textbooks and web pages where they are there, else sentences made of the words of code."""
    places = {
        "textbooks": "openstax_python/derived_text.jsonl.gz",
        "web pages": "dclm_quality_judgements/agreement_data.jsonl.gz",
    }
    found: dict[str, list[str]] = {}
    for name, place in places.items():
        if (data / place).exists():
            with gzip.open(data / place, "rt", encoding="utf-8") as lines:
                found[name] = [json.loads(line)["text"] for line in lines]
    if not found:
        draw = random.Random(0)
        words = " ".join(code()).split()
        found["made"] = [" ".join(draw.choices(words, k=600)) for _ in range(1000)]
    return found


def vocabulary(data: Path, texts: dict[str, list[str]]) -> Vocabulary:
    """CodeGen's where its files are there, else one that is fitted."""
    if (data / "tokenizer").exists():
        return from_files(data / "tokenizer", eos_text=EOS, added_tokens=True)
    every = (text for some in texts.values() for text in some)
    return fit(every, vocab_size=32000, whole_numbers_to=99, min_frequency=2, eos_text=EOS)


def limited(texts: list[str]) -> list[str]:
    """The first of them, up to a size."""
    kept, size = [], 0
    for text in texts:
        size += len(text.encode())
        if size > MOST_BYTES:
            break
        kept.append(text)
    return kept


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and what the work made."""
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def encoding() -> dict[str, float]:
    """Print the table of encoders; their keys."""
    texts = {name: limited(some) for name, some in (prose(DATA) | {"code": code()}).items()}
    made = vocabulary(DATA, texts)
    with tempfile.TemporaryDirectory() as folder:
        save(made, Path(folder), kind="files", vocab_size=51200)
        encoder = Encoder.load(Path(folder))
    reference = hugging_face(made)
    reference.encode_special_tokens = True
    print(f"{made.tokens:,} tokens, {len(made.added)} added; MB per CPU-second, {RUNS} runs each")
    print(f"{'text':<12}{'MB':>6}{'hornbook':>10}{'spread':>8}{'tokenizers':>12}{'spread':>8}"
          f"{'ratio':>7}{'same ids':>10}")  # fmt: skip
    sums, same, count = [0.0, 0.0], 0, 0
    for name, some in texts.items():
        size = sum(len(text.encode()) for text in some) / 1e6
        seconds: list[list[float]] = [[], []]
        for _ in range(RUNS):
            used, ours = spent(lambda some=some: encoder.encode_batch(some))
            seconds[0].append(used)
            used, theirs = spent(
                lambda some=some: reference.encode_batch_fast(some, add_special_tokens=False)
            )
            seconds[1].append(used)
        equal = sum(a.tolist() == b.ids for a, b in zip(ours, theirs, strict=True))
        mids = [statistics.median(one) for one in seconds]
        rates = [[size / one for one in some] for some in seconds]
        spread = [max(one) - min(one) for one in rates]
        print(f"{name:<12}{size:>6.1f}{size / mids[0]:>10.2f}{spread[0]:>8.2f}"
              f"{size / mids[1]:>12.2f}{spread[1]:>8.2f}{mids[1] / mids[0]:>7.2f}"
              f"{equal / len(some):>10.4f}")  # fmt: skip
        sums = [sums[0] + mids[0], sums[1] + mids[1]]
        same, count = same + equal, count + len(some)
    return {"ratio": round(sums[1] / sums[0], 2), "same_ids": round(same / count, 4)}


def write_tokens(folder: Path, tokens: int) -> None:
    """Random ids in two shards, as we read them."""
    (folder / "books").mkdir()
    draw, shards = np.random.default_rng(0), []
    for number in range(2):
        name = f"tokens-{number:05d}.bin"
        with (folder / "books" / name).open("wb") as file:
            for _ in range(100):
                file.write(draw.integers(0, 50_000, tokens // 200).astype("<u2").data)
        shards.append({"file": name, "split": "train", "tokens": tokens // 200 * 100})
    write_json(folder / "books" / "meta.json", {"dtype": "<u2", "shards": shards, "sha256": ""})
    source = {"corpus": "books", "weight": 1, "tokens": None, "sha256": ""}
    write_json(folder / "mixture" / "mixture.json", {"order_seed": 0, "sources": [source]})


def ran(peer: str, folder: Path) -> dict[str, float]:
    """What a loader's script says."""
    python = Path(sys.executable) if peer == "hornbook" else python_of(peer)
    done = subprocess.run(
        [str(python), str(PEERS / f"loader_{peer}.py"), str(folder), str(MUCH[peer])],
        env=os.environ | {"PYTHONPATH": str(HERE.parent / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"loader_{peer}.py failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def loading() -> dict[str, float]:
    """Print the table of loaders; their keys."""
    peers = ("hornbook", "litdata", "streaming")
    rates: dict[str, list[float]] = {peer: [] for peer in peers}
    memory: dict[str, float] = {}
    for peer in peers[1:]:
        python_of(peer)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_tokens(folder, TOKENS)
        files = sorted((folder / "books").glob("*.bin"))
        np.save(folder / "tokens.npy", np.concatenate([np.fromfile(f, "<u2") for f in files]))
        for peer in peers[1:]:
            ran(peer, folder)  # writes its form of the tokens
        for _ in range(RUNS):
            for peer in peers:
                found = ran(peer, folder)
                rates[peer].append(found["batches"] / found["seconds"])
                memory[peer] = found["rss_mib"]
    with tempfile.TemporaryDirectory() as place:
        write_tokens(Path(place), 10 * TOKENS)
        larger = ran("hornbook", Path(place))["rss_mib"]
    print(f"\n{TOKENS / 1e6:.1f} million tokens, batches of 8 x 2,048, {RUNS} runs each")
    print(f"{'loader':<12}{'batches/CPU-s':>14}{'spread':>9}{'MiB':>6}")
    for peer in peers:
        some = rates[peer]
        print(f"{peer:<12}{statistics.median(some):>14,.0f}{max(some) - min(some):>9,.0f}"
              f"{memory[peer]:>6}")  # fmt: skip
    print(f"hornbook, {TOKENS / 1e5:.0f} million tokens: {larger} MiB")
    mids = {peer: statistics.median(some) for peer, some in rates.items()}
    return {
        "loader_ratio": round(mids["hornbook"] / mids["litdata"], 2),
        "loader_ratio_streaming": round(mids["hornbook"] / mids["streaming"], 1),
        "loader_rss_mb": memory["hornbook"],
        "loader_rss_mb_10x": larger,
    }


def main() -> None:
    """Print both tables, and the keys."""
    print(json.dumps(encoding() | loading()))


if __name__ == "__main__":
    main()
