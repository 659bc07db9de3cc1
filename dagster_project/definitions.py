"""The one Definitions object: everything in it is read from dvc.yaml."""

import dagster as dg

from dagster_project import antlr

antlr.bind()  # before anything parses a selection

from dagster_project.assets import build_assets  # noqa: E402 - the parser is bound first
from dagster_project.jobs import executor, experiments, jobs  # noqa: E402
from dagster_project.sync import dvc_sync  # noqa: E402

defs = dg.Definitions(
    assets=[*build_assets(), experiments],
    jobs=jobs(),
    sensors=[dvc_sync],
    executor=executor(),
)
