"""Duplicates found and removed, ours beside datatrove's MinHash and rensa's, in CPU time.

Documents of about 1.4 kB made by a seeded generator from the sentences of the folder that
HORNBOOK_SHARED_DATA names (else ../shared/data; without it, of generated words), with planted
copies: similar by .8 to .95, controls by .5 to .7, and exact ones. Similarity is exact Jaccard of
5-grams of words. Prints a table and, as the last line, one JSON object:
ratio             documents per CPU-second, ours over datatrove's; ratio_rensa likewise
recall            planted pairs of at least .8 of which one went; recall_datatrove likewise
precision         removed documents that have a similar (.8) one that is left;
                  precision_datatrove likewise
rss_mb_10m        largest process of ours that brings 10 million signatures together and decides
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from peer import HERE, PEERS, python_of
from planted import Planted, planted, similarity

sys.path.insert(0, str(HERE.parent / "src"))
from hornbook.artifacts import write_documents

DATA = Path(os.environ.get("HORNBOOK_SHARED_DATA", HERE.parent.parent / "shared" / "data"))
SIMILAR = 0.8
RUNS = {"hornbook": 3, "rensa": 3, "datatrove": 1}


def write(made: Planted, folder: Path) -> None:
    """The documents as each peer reads them."""
    rows = [{"id": str(n), "text": text, "source": "s"} for n, text in enumerate(made.texts)]
    write_documents(folder / "artifacts" / "web" / "filtered", rows)
    (folder / "in").mkdir()
    with (folder / "in" / "part.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def ran(peer: str, folder: Path) -> tuple[float, set[int]]:
    """CPU seconds, and the documents that are left."""
    python = python_of("datatrove") if peer == "datatrove" else Path(sys.executable)
    seconds = json.loads(python_run(python, f"dedup_{peer}.py", str(folder)))
    left = json.loads((folder / "left.json").read_text("utf-8"))
    return seconds, {int(one) for one in left}


def python_run(python: Path, script: str, *arguments: str) -> str:
    """The last line that a script of `peers/` prints."""
    root = HERE.parent
    done = subprocess.run(
        [str(python), str(PEERS / script), *arguments],
        env=os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()[-1]


def gathered(count: int) -> dict[str, Any]:
    """Peak memory and CPU time of bringing `count` signatures together; 6 GB of disk for 10^7."""
    with tempfile.TemporaryDirectory() as name:
        printed = python_run(Path(sys.executable), "dedup_signatures.py", name, str(count))
    return json.loads(printed)


def quality(made: Planted, left: set[int]) -> tuple[float, float, float]:
    """Recall, precision, and the share of the controls of which none went."""
    families: dict[int, list[int]] = {}
    found: list[bool] = []
    spared: list[bool] = []
    for one, other, similar in made.pairs:
        families.setdefault(one, []).append(other)
        families.setdefault(other, []).append(one)
        both = one in left and other in left
        if similar >= SIMILAR:
            found.append(not both)
        elif similar < 0.75:
            spared.append(both)
    gone = [place for place in range(len(made.texts)) if place not in left]
    right = [
        any(
            other in left and similarity(made.texts[place], made.texts[other]) >= SIMILAR
            for other in families.get(place, [])
        )
        for place in gone
    ]
    return statistics.mean(found), statistics.mean(right), statistics.mean(spared)


def main() -> None:
    """Run, print the table, print the JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--signatures", type=int, default=10_000_000)
    options = parser.parse_args()
    made = planted(DATA, options.documents)
    size = sum(map(len, made.texts)) / 1e6
    print(f"{len(made.texts):,} {made.source}, {size:.0f} MB, {len(made.pairs):,} planted copies")
    print(f"{'peer':<12}{'documents/CPU s':>17}{'spread':>8}{'recall':>8}{'precision':>11}"
          f"{'controls left':>15}", flush=True)  # fmt: skip
    rates: dict[str, list[float]] = {peer: [] for peer in RUNS}
    results: dict[str, tuple[float, float, float]] = {}
    for turn in range(max(RUNS.values())):
        for peer, runs in RUNS.items():
            if turn >= runs:
                continue
            with tempfile.TemporaryDirectory() as name:
                write(made, Path(name))
                seconds, left = ran(peer, Path(name))
            rates[peer].append(len(made.texts) / seconds)
            if turn == 0:
                results[peer] = quality(made, left)
    speeds = {peer: statistics.median(found) for peer, found in rates.items()}
    for peer, found in rates.items():
        recall, precision, spared = results[peer]
        print(f"{peer:<12}{speeds[peer]:>17,.0f}{max(found) - min(found):>8,.0f}{recall:>8.4f}"
              f"{precision:>11.4f}{spared:>15.4f}", flush=True)  # fmt: skip
    result: dict[str, Any] = {
        "ratio": round(speeds["hornbook"] / speeds["datatrove"], 1),
        "ratio_rensa": round(speeds["hornbook"] / speeds["rensa"], 2),
    }
    for peer, (recall, precision, _) in results.items():
        end = "" if peer == "hornbook" else f"_{peer}"
        result[f"recall{end}"] = round(recall, 4)
        result[f"precision{end}"] = round(precision, 4)
    memory = gathered(options.signatures)
    print(f"{memory['documents']:,} synthetic signatures: {memory['rss_mb']} MB, "
          f"{memory['cpu_seconds']} CPU s, {memory['gone']:,} go")  # fmt: skip
    result["rss_mb_10m"] = memory["rss_mb"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
