"""Re-running by itself what is out of date, for those who switch it on."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from dagster_project.manifest import stage_key


def outdated() -> dg.AutomationCondition[dg.AssetKey]:
    """When an automation that is switched on re-runs a stage.

    Not `eager()`: that fires when an input was materialised again to the same bytes.
    """
    when: Any = dg.AutomationCondition  # its type parameters do not compose for a type checker
    why = (
        when.code_version_changed()
        | when.any_deps_match(when.data_version_changed())
        | when.newly_missing()
    )
    idle = ~when.any_deps_missing() & ~when.in_progress() & ~when.any_deps_in_progress()
    return why.since_last_handled() & idle


def rerun_when_stale(stages: Iterable[str]) -> dg.AutomationConditionSensorDefinition:
    """The switch, off until somebody turns it on under Automation."""
    return dg.AutomationConditionSensorDefinition(
        "rerun_when_stale",
        target=dg.AssetSelection.assets(*map(stage_key, stages)),
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=15,
        description="Switched on, it runs a stage when its code or values changed, or when what "
        "it reads became other bytes, and so on to the end of the graph. It runs nothing for an "
        "input that was made again with the same bytes. What is stale before it is switched on "
        "is for the job rerun_stale.",
    )
