"""The quality rules beside datatrove's: decisions of each rule, and CPU time of all filters."""

import json
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from documents import made, real
from peer import HERE, PEERS, python_of

KEYS = ("rules_ratio", "rules_agreement", "rules_agreement_made")
RUNS = 3
NAMES = ("hornbook", "datatrove")
FILTERS = ("repetition", "quality", "C4", "FineWeb")
Decisions = list[set[str]]


def ran(name: str, texts: Path, *more: str) -> tuple[list[object], float]:
    """What a side's script wrote, and its seconds; a fresh process, so that it knows no word."""
    python = python_of(name) if name == "datatrove" else Path(sys.executable)
    out = texts.with_name(f"{name}.json")
    conf = [str(HERE.parent / "conf")] if name == "hornbook" else []
    command = [str(python), str(PEERS / f"{name}_rules.py"), str(texts), str(out), *conf, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = float(done.stdout.splitlines()[-1]) if done.stdout else 0.0
    return json.loads(out.read_text("utf-8")), seconds


def timed(file: Path, texts: list[str]) -> tuple[float, float]:
    """Our documents per CPU-second over datatrove's, and the share of equal outcomes."""
    file.write_text(json.dumps(texts), "utf-8")
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    left: dict[str, list[object]] = {}
    for _ in range(RUNS):
        for name in NAMES:
            left[name], spent = ran(name, file)
            seconds[name].append(spent)
    size = sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6
    print(
        f"\n{len(texts)} documents, {size:.1f} MB; all filters, {RUNS} runs each, a fresh process"
    )
    print(f"{'rules':<14}{'documents/CPU-s':>16}{'spread':>8}{'MB/CPU-s':>10}{'kept':>6}")
    for name in NAMES:
        rates = [len(texts) / one for one in seconds[name]]
        kept = sum(one is not None for one in left[name])
        print(f"{name:<14}{statistics.median(rates):>16.0f}{max(rates) - min(rates):>8.0f}"
              f"{size / statistics.median(seconds[name]):>10.2f}{kept:>6}")  # fmt: skip
    ours, peers = (statistics.median(seconds[name]) for name in NAMES)
    same = sum(one == other for one, other in zip(left[NAMES[0]], left[NAMES[1]], strict=True))
    print(f"the same text kept, or none: {same} of {len(texts)}", flush=True)
    return peers / ours, same / len(texts)


def decided(file: Path, texts: list[str]) -> tuple[Decisions, Decisions]:
    """Each side's broken rules of each text."""
    file.write_text(json.dumps(texts), "utf-8")
    found: list[Decisions] = []
    for name in NAMES:
        rows, _ = ran(name, file, "rules")
        found.append([set(row) for row in rows if isinstance(row, list)])
    return found[0], found[1]


def show(ours: Decisions, peers: Decisions, first_made: int) -> None:
    """For each rule on how many documents datatrove's fires, and on how many both agree."""
    count, rest = first_made, len(ours) - first_made
    print(f"\n{'':<32}{count:>7} real documents{rest:>8} made documents")
    print(f"{'rule':<32}{'fires':>9}{'equal':>12}{'fires':>13}{'equal':>12}")
    names = sorted(set().union(*ours, *peers), key=lambda name: (name.startswith("filter_"), name))
    for name in names:
        cells: list[int] = []
        for part in (slice(None, first_made), slice(first_made, None)):
            fires = [name in one for one in peers[part]]
            equal = sum((name in o) == p for o, p in zip(ours[part], fires, strict=True))
            cells += [sum(fires), equal]
        shown = f"all of {FILTERS[int(name[-1])]}" if name.startswith("filter_") else name
        print(f"{shown:<32}{cells[0]:>9}{cells[1]:>12}{cells[2]:>13}{cells[3]:>12}")


def measured(data: Path) -> dict[str, float]:
    """Print the tables; the keys of this half."""
    texts = real(data)
    around = made()
    strewn = [text for some in around.values() for text in some]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        ratio, same = timed(file, texts)
        ours, peers = decided(file, [*texts, *strewn])
    packages = python_of("datatrove").parent.parent.glob(
        "lib/*/site-packages/datatrove-*.dist-info"
    )
    print(f"\nhornbook {version('hornbook')} beside "
          f"{', '.join(one.name.removesuffix('.dist-info') for one in packages)}, published "
          f"thresholds (conf/web/paper.yaml)")  # fmt: skip
    show(ours, peers, len(texts))
    print("made: " + ", ".join(f"{len(some)} around {rule}" for rule, some in around.items()))
    equal = [one == other for one, other in zip(ours, peers, strict=True)]
    return {
        "rules_ratio": round(ratio, 1),
        "rules_agreement": round(min(same, statistics.mean(equal[: len(texts)])), 4),
        "rules_agreement_made": round(statistics.mean(equal[len(texts) :]), 4),
    }
