"""Stage `seed_scores@SEED`: what the models of this seed and of those before it scored.

Downstream stages read the last of them, because DVC knows no list of inputs that varies (D-024).
A folder for each seed holds

    artifacts.json                              record of each artifact of the seed, by stage
    VARIANT/SUITE/results.json, items.parquet   as `evaluate@VARIANT-SUITE` has them
    VARIANT/scores.json                         as `toxigen@VARIANT` has them
    VARIANT/metrics.json                        as `train@VARIANT` has them
"""

import shutil
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, write_json
from hornbook.lineage.workspace import Hasher
from hornbook.stage import Run, parse_summary

RECORDS = "artifacts.json"
READERS = ("tables", "toxigen_plots")  # the parts of the report that name variants
TAKEN = {
    "train_seed": ("metrics.json",),
    "evaluate_seed": ("*/results.json", "*/items.parquet"),
    "toxigen_seed": ("scores.json",),
}


def seed_scores(run: Run) -> None:
    """Copy the small files and note the hash of each artifact that they come from."""
    seed = str(run.instance)
    records: dict[str, dict[str, Any]] = {}
    before = run.section(f"further_seeds.scores.{seed}", str)
    earlier = [folder for folder in sorted(run.input(before).glob("*")) if folder.is_dir()]
    for folder in earlier:
        shutil.copytree(folder, run.out / folder.name)
    if earlier:
        records[f"seed_scores@{Path(before).name}"] = record(run, before)
    shown = [run.section(f"report.{what}.variants", list[str]) for what in READERS]
    for variant in sorted({name for names in shown for name in names}):
        for family, patterns in TAKEN.items():
            path = f"artifacts/{family}/{variant}-{seed}"
            records[f"{family}@{variant}-{seed}"] = record(run, path)
            _copy(run.input(path), patterns, run.out / seed / variant)
    write_json(run.out / seed / RECORDS, records)
    run.summary(rows=len(records), seeds=[*sorted(int(one.name) for one in earlier), int(seed)])


def record(run: Run, path: str) -> dict[str, Any]:
    """What the page tells of an artifact; `hash` is the DVC hash of its bytes."""
    folder = run.input(path)
    hasher = Hasher(folder.parents[path.count("/")])
    checks = folder / "expectations.json"
    found = {
        "path": path,
        "hash": hasher.hash(path),
        "size_bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "summary": parse_summary(folder),
        "checks": read_json(checks) if checks.exists() else {},
    }
    hasher.save()
    return found


def _copy(folder: Path, patterns: tuple[str, ...], target: Path) -> None:
    for file in sorted(file for pattern in patterns for file in folder.glob(pattern)):
        place = target / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
