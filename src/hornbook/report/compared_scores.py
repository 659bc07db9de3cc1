"""Stage `compared_scores@NAME`: what this model and those before it in `models.compare` scored.

Downstream stages read the last of them, because DVC knows no list of inputs that varies (D-024,
D-032). A folder for each model holds

    artifacts.json        record of each of its artifacts, by stage
    model.json            what the model is, as `evaluate_compared@NAME` has it
    SUITE/results.json    likewise
    scores.json           as `toxigen_compared@NAME` has it
"""

from typing import Any

from hornbook.artifacts import write_json
from hornbook.report.chain import RECORDS, copy_files, record, take_up
from hornbook.stage import Run

TAKEN = {
    "evaluate_compared": ("model.json", "*/results.json"),
    "toxigen_compared": ("scores.json",),
}


def compared_scores(run: Run) -> None:
    """Copy the small files and note the hash of each artifact that they come from."""
    name = str(run.instance)
    records: dict[str, dict[str, Any]] = {}
    earlier = take_up(run, run.section(f"compared.scores.{name}", str), "compared_scores", records)
    for family, patterns in TAKEN.items():
        path = f"artifacts/{family}/{name}"
        records[f"{family}@{name}"] = record(run, path)
        copy_files(run.input(path), patterns, run.out / name)
    write_json(run.out / name / RECORDS, records)
    run.summary(rows=len(records), models=[*earlier, name])
