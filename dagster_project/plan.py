"""What a run would do, in the UI: always of things as they are, and by a job with overrides."""

import hashlib
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.manifest import ROOT
from hornbook.errors import HornbookError
from hornbook.lineage.plan import MOST_CAUSES, Planned, lines, plan, takes_text

KEY = dg.AssetKey("plan")
SPEC = dg.AssetSpec(
    KEY,
    group_name="lineage",
    kinds={"dvc"},
    description="What `rerun_stale` would do now: which stages, why, how long, what DVC restores. "
    "Kept true by the sensor `dvc_sync`. With other values: the job `plan`.",
)


def current_plan(instance: dg.DagsterInstance, root: Path = ROOT) -> list[dg.AssetObservation]:
    """The plan of things as they are, if it is not the one that is shown."""
    found = plan(root)
    told = "\n".join(lines(found))
    mark = hashlib.sha256(told.encode()).hexdigest()[:16]
    newest = instance.get_latest_data_version_record(KEY, is_source=True)
    is_shown = newest and (newest.event_log_entry.tags or {}).get("dagster/data_version") == mark
    return [] if is_shown else [observation(found, mark)]


def observation(found: Planned, mark: str) -> dg.AssetObservation:
    """A plan as the newest event of the asset `plan`."""
    numbers: dict[str, Any] = {
        f"to {action}": sum(step.action == action for step in found.steps)
        for action in ("run", "restore")
    }
    return dg.AssetObservation(
        KEY,
        description=f"{len(found.steps)} of {found.stages} stages to do",
        tags={"dagster/data_version": mark},
        metadata={
            "plan": dg.MetadataValue.md(as_markdown(found)),
            "stages to do": len(found.steps),
            **numbers,
            "may run": sum(step.action == "may run" for step in found.steps),
            "predicted seconds": round(found.seconds, 1),
        },
    )


def as_markdown(found: Planned) -> str:
    """The plan as a table, in the order of the graph, above it what it comes to."""
    if not found.steps:
        return f"All {found.stages} stages are up to date: nothing would run."
    told = lines(found)
    summary = told[told.index("") + 1 :]
    rows = ["", "| stage | what | takes | because |", "|---|---|---|---|"]
    for step in found.steps:
        way = " <- ".join(step.chain[1:])
        causes = [str(cause) for cause in step.causes[:MOST_CAUSES]]
        because = "; ".join([*([way] if way else []), *causes]).replace("|", "\\|")
        rows.append(f"| {step.stage} | {step.action} | {takes_text(step.takes)} | {because} |")
    return "\n".join([*(f"{line}  " for line in summary), *rows])


class PlanConfig(dg.Config):
    """Of which values, and how far."""

    overrides: list[str] = Field(
        default=[], description="Hydra overrides, as for an experiment; none is as things are."
    )
    stages: list[str] = Field(
        default=[], description="Only these stages or families with what they read; none is all."
    )


@dg.op(tags={"dagster/kind/dvc": ""})
def tell_plan(context: dg.OpExecutionContext, config: PlanConfig) -> dg.Output[int]:
    """Tell what would run, without making or changing anything."""
    try:
        found = plan(ROOT, config.overrides, config.stages)
    except HornbookError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    context.log.info("\n".join(lines(found)))
    return dg.Output(len(found.steps), metadata={"plan": dg.MetadataValue.md(as_markdown(found))})


@dg.job(
    name="plan",
    description="What `rerun_stale` or an experiment with these overrides would do: which stages, "
    "why, how long, what DVC restores. Changes nothing; the answer is in the output's metadata "
    "and in the log.",
)
def plan_job() -> None:
    """`hornbook plan` in the UI."""
    tell_plan()
