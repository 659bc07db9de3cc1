"""Records as runs of MLflow; imported only when there is one to write."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from hornbook.errors import InputError
from hornbook.track.index import EXPERIMENT, TrackedRun, folder, tracking_uri
from hornbook.track.records import Record

# before the import: MLflow asks for its settings when it is imported
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

T = TypeVar("T")
FINISHED = "FINISHED"


class Store:
    """The experiment in the tracking store."""

    def __init__(self, root: Path) -> None:
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        uri = tracking_uri(root)
        try:
            self._client = MlflowClient(uri)
            found = self._client.get_experiment_by_name(EXPERIMENT)
            self.experiment_id = found.experiment_id if found else self._create(root, uri)
        except MlflowException as error:
            raise InputError(
                f"the MLflow store {uri} does not answer ({error.message}); is "
                f"MLFLOW_TRACKING_URI right? unset it to use the local store"
            ) from error

    def _create(self, root: Path, uri: str) -> str:
        is_local = uri.startswith("sqlite:")
        place = (folder(root).resolve() / "artifacts").as_uri() if is_local else None
        return self._client.create_experiment(EXPERIMENT, artifact_location=place)

    def find(self, record: Record) -> TrackedRun | None:
        """The finished run of the same artifact; a half-written one is deleted."""
        found = self._client.search_runs(
            [self.experiment_id],
            f"tags.`dvc.stage` = '{record.stage}' and tags.`dvc.hash` = '{record.dvc_hash}'",
            order_by=["attributes.start_time ASC"],
        )
        whole = [run for run in found if run.info.status == FINISHED]
        for run in found:
            if run not in whole:
                self._client.delete_run(run.info.run_id)
        if not whole:
            return None
        known = whole[0].data.tags.get("dagster.run_id")
        return self._tracked(record, whole[0].info.run_id, known)

    def write(self, record: Record, tags: dict[str, str]) -> TrackedRun:
        """A new run; it reads FINISHED only when all of it is there."""
        now = int(time.time() * 1000)
        start = now - int((record.seconds or 0) * 1000)
        run = self._client.create_run(
            self.experiment_id,
            start_time=start,
            run_name=record.stage,
            tags={**record.tags, **tags},
        )
        run_id = run.info.run_id
        params = [Param(key, value) for key, value in sorted(record.params.items())]
        for some in _batches(params, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(run_id, params=some)
        for some in _batches(_metrics(record, start, now), MAX_METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=some)
        self._client.set_terminated(run_id, FINISHED, end_time=now)
        return self._tracked(record, run_id, tags.get("dagster.run_id"))

    def name_dagster_run(self, run: TrackedRun, dagster_run_id: str) -> TrackedRun:
        """The same run, linked to the Dagster run that materialised its artifact."""
        tags = [RunTag("dagster.run_id", dagster_run_id)]
        self._client.log_batch(run.run_id, tags=tags)
        return TrackedRun(run.stage, run.dvc_hash, run.run_id, run.experiment_id, dagster_run_id)

    def _tracked(self, record: Record, run_id: str, dagster_run_id: str | None) -> TrackedRun:
        return TrackedRun(record.stage, record.dvc_hash, run_id, self.experiment_id, dagster_run_id)


def _metrics(record: Record, start: int, end: int) -> list[Metric]:
    """The curve at its steps, spread over the time the run took, then the final numbers."""
    last = record.curve[-1][0] if record.curve else 0
    found = [
        Metric(key, value, start + (end - start) * step // max(last, 1), step)
        for step, values in record.curve
        for key, value in values.items()
    ]
    final = [Metric(key, value, end, last) for key, value in sorted(record.metrics.items())]
    drawn = {key for _, values in record.curve for key in values}
    return found + [metric for metric in final if metric.key not in drawn]


def _batches(items: Sequence[T], most: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, most)):
        yield some
