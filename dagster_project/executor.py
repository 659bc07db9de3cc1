"""Where steps run: one that has nothing to do in the run's own process, the others in their own.

Starting a process costs a second or two, finding out that a stage is unchanged costs milliseconds.
What is unchanged together with all that it reads can go first, so the order of the graph holds.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import execute_plan_iterator
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.executor.base import Executor
from dagster._core.executor.multiprocess import MultiprocessExecutor
from dagster._core.system_config.objects import ResolvedRunConfig

from dagster_project.manifest import ROOT, graph_of, lock_of, op_name
from dagster_project.pools import limits, slots
from hornbook.errors import HornbookError
from hornbook.lineage.workspace import Hasher, stale_stages
from hornbook.runtime import load_runtime

# what a step's process would import itself, two seconds of it, is there when it is forked
PRELOADED = [
    "dagster_project.definitions",
    "dagster._core.instance.factory",
    "dagster._core.launcher.default_run_launcher",
    "dagster._core.run_coordinator",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.sqlite_storage",
    "upath.implementations.local",
]


def unchanged_steps(root: Path, steps: Collection[str], config: Mapping[str, Any]) -> list[str]:
    """The steps of stages that are, with all that they read, what `dvc.lock` records.

    `config` is that of the run: a stage that is forced runs, and what reads it waits for it.
    """
    try:
        graph, lock, hasher = graph_of(root), lock_of(root), Hasher(root)
    except HornbookError:
        return []  # each step says it in its own words
    names = {op_name(name): name for name in graph.stages}
    stale = {*stale_stages(graph, lock, hasher)}
    hasher.save()
    forced = {names[key] for key in steps if key in names and _is_forced(config, key)}
    busy = stale | forced | graph.descendants(forced)
    return [key for key in steps if key in names and names[key] not in busy]


def _is_forced(config: Mapping[str, Any], step: str) -> bool:
    return bool(config.get("ops", {}).get(step, {}).get("config", {}).get("force"))


class StageExecutor(Executor):
    """Unchanged stages here and first, the others through `others`."""

    def __init__(self, others: MultiprocessExecutor) -> None:
        self._others = others

    @property
    def retries(self) -> RetryMode:
        """As of the others."""
        return self._others.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """As of the others."""
        return self._others.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """The events of the run."""
        steps = execution_plan.step_keys_to_execute
        here = unchanged_steps(ROOT, steps, plan_context.run_config)
        if here:
            yield from execute_plan_iterator(
                _part(plan_context, execution_plan, here),
                plan_context.reconstructable_job,
                plan_context.dagster_run,
                plan_context.instance,
                retry_mode=self.retries.for_inner_plan(),
                run_config=plan_context.run_config,
            )
        rest = [key for key in steps if key not in {*here}]
        if rest:
            part = _part(plan_context, execution_plan, rest) if here else execution_plan
            yield from self._others.execute(plan_context, part)


def _part(
    context: PlanOrchestrationContext, plan: ExecutionPlan, steps: list[str]
) -> ExecutionPlan:
    job = context.job.get_definition()
    return plan.build_subset_plan(steps, job, ResolvedRunConfig.build(job, context.run_config))


@dg.executor(
    name="stages",
    requirements=multiple_process_executor_requirements(),
)
def stages(init: dg.InitExecutorContext) -> Executor:  # noqa: ARG001 - Dagster's signature
    """As many stages side by side as their pools have room for together."""
    runtime = load_runtime(ROOT)
    return StageExecutor(
        MultiprocessExecutor(
            retries=RetryMode.ENABLED,
            max_concurrent=sum(slots(runtime).values()),
            tag_concurrency_limits=limits(runtime),
            start_method="forkserver",
            explicit_forkserver_preload=PRELOADED,
        )
    )
