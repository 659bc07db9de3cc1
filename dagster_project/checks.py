"""Great Expectations results, as the stage kept them, shown as Dagster asset checks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from hornbook.artifacts import read_json
from hornbook.stage import failed_checks

NAME = "expectations"


def check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check of a stage that guards a dataset; a failure also fails the stage itself."""
    return dg.AssetCheckSpec(
        NAME,
        asset=key,
        description="Great Expectations suites of the stage's datasets: schema, ranges, "
        "uniqueness, nulls, distribution bounds.",
        blocking=True,
    )


def check_result(
    root: Path, name: str, key: dg.AssetKey, since: float = 0.0
) -> dg.AssetCheckResult | None:
    """The newest results of a stage, or None when there are none newer than `since`."""
    file = failed_checks(root, name)
    if not file.exists() or file.stat().st_mtime < since:
        return None
    results: Mapping[str, Mapping[str, Any]] = read_json(file)
    return dg.AssetCheckResult(
        passed=all(result["success"] for result in results.values()),
        asset_key=key,
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
