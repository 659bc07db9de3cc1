"""Stage `seed_scores@SEED`: what the models of this seed and of those before it scored.

Downstream stages read the last of them, because DVC knows no list of inputs that varies (D-024).
A folder for each seed holds

    artifacts.json                              record of each artifact of the seed, by stage
    VARIANT/SUITE/results.json, items.parquet   as `evaluate@VARIANT-SUITE` has them
    VARIANT/scores.json                         as `toxigen@VARIANT` has them
    VARIANT/metrics.json                        as `train@VARIANT` has them
"""

from typing import Any

from hornbook.artifacts import write_json
from hornbook.report.chain import RECORDS, copy_files, record, take_up
from hornbook.stage import Run

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
    earlier = take_up(run, before, "seed_scores", records)
    shown = [run.section(f"report.{what}.variants", list[str]) for what in READERS]
    for variant in sorted({name for names in shown for name in names}):
        for family, patterns in TAKEN.items():
            path = f"artifacts/{family}/{variant}-{seed}"
            records[f"{family}@{variant}-{seed}"] = record(run, path)
            copy_files(run.input(path), patterns, run.out / seed / variant)
    write_json(run.out / seed / RECORDS, records)
    run.summary(rows=len(records), seeds=[*sorted(map(int, earlier)), int(seed)])
