"""Great Expectations results, as the stage kept them, shown as Dagster asset checks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.manifest import stage_key
from hornbook.artifacts import read_json
from hornbook.lineage.manifest import Stage
from hornbook.stage import failed_checks

NAME = "expectations"
KEPT = "expectations.json"  # in the artifact


def check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check of a stage that guards a dataset; a failure also fails the stage itself."""
    return dg.AssetCheckSpec(
        NAME,
        asset=key,
        description="Great Expectations suites of the stage's datasets: schema, ranges, "
        "uniqueness, nulls, distribution bounds.",
        blocking=True,
    )


def check_result(root: Path, stage: Stage) -> dg.AssetCheckResult:
    """What the gate found of the artifact that is there, as the artifact itself carries it."""
    file = root / stage.out / KEPT
    if file.exists():
        return _result(stage, read_json(file))
    return dg.AssetCheckResult(
        passed=False,
        asset_key=stage_key(stage.name),
        check_name=NAME,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{stage.out} carries no results; to check it, materialise it with force: true",
    )


def check_evaluation(root: Path, stage: Stage) -> dg.AssetCheckEvaluation:
    """The same as an event without a run."""
    found = check_result(root, stage)
    return dg.AssetCheckEvaluation(
        asset_key=stage_key(stage.name),
        check_name=NAME,
        passed=found.passed,
        metadata=found.metadata,
        severity=found.severity,
        description=found.description,
        blocking=True,
    )


def failed_result(root: Path, stage: Stage, since: float) -> dg.AssetCheckResult | None:
    """What the gate found of a stage that it ended, or None where it found nothing `since`."""
    file = failed_checks(root, stage.name)
    if not file.exists() or file.stat().st_mtime < since:
        return None
    return _result(stage, read_json(file))


def _result(stage: Stage, results: Mapping[str, Mapping[str, Any]]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=all(result["success"] for result in results.values()),
        asset_key=stage_key(stage.name),
        check_name=NAME,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "datasets": ", ".join(sorted(results)),
            "rows": sum(int(result["rows"]) for result in results.values()),
            "results": dg.MetadataValue.md(as_markdown(results)),
        },
    )


def as_markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with a line for each expectation, failed ones first."""
    lines = ["| dataset | expectation | passed | observed | rows |", "|---|---|---|---|---|"]
    flat = [(name, one) for name, result in results.items() for one in result["expectations"]]
    for name, one in sorted(flat, key=lambda pair: (pair[1]["success"], pair[0])):
        arguments = ", ".join(f"{k}={v}" for k, v in sorted(one["kwargs"].items()))
        seen = one["observed"] if one["observed"] is not None else f"{one['unexpected']} unexpected"
        lines.append(
            f"| {name} | {one['type']}({arguments}) | {'yes' if one['success'] else '**no**'} "
            f"| {seen} | {', '.join(one['rows'])} |"
        )
    return "\n".join(lines)
