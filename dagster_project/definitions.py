"""The one Definitions object: everything in it is read from dvc.yaml."""

import dagster as dg

from dagster_project import antlr

antlr.bind()  # before anything parses a selection

from dagster_project import experiments  # noqa: E402 - the parser is bound first
from dagster_project.assets import build_assets  # noqa: E402
from dagster_project.automation import rerun_when_stale  # noqa: E402
from dagster_project.executor import stages  # noqa: E402
from dagster_project.jobs import stage_jobs  # noqa: E402
from dagster_project.manifest import ROOT, graph_of  # noqa: E402
from dagster_project.plan import SPEC, plan_job  # noqa: E402
from dagster_project.sync import dvc_sync  # noqa: E402
from dagster_project.watch import require_sound_conf  # noqa: E402
from hornbook.runtime import load_runtime  # noqa: E402

require_sound_conf()
pool = experiments.pool(graph_of(), load_runtime(ROOT))
defs = dg.Definitions(
    assets=[*build_assets(), SPEC, experiments.partitioned(pool)],
    jobs=[*stage_jobs(), plan_job, experiments.launchpad_job(pool)],
    sensors=[dvc_sync, rerun_when_stale(graph_of().stages)],
    executor=stages,
)
