"""Records as runs of MLflow; imported only when there is one to write."""

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

from hornbook.errors import InputError
from hornbook.track.addresses import models_page, require_driver
from hornbook.track.index import EXPERIMENT, TrackedRun, folder, tracking_uri
from hornbook.track.occasion import Occasion
from hornbook.track.records import Input, Model, Record
from hornbook.track.shown import headlines, is_drawn, rank, shown_as

# before the import: MLflow asks for its settings when it is imported
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

T = TypeVar("T")
FINISHED = "FINISHED"
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
EXPERIMENT_NOTE = (
    "**[Compare models]({models})**: curves and scores of every training, the best first. In the "
    "list of runs, a run of the graph or of an experiment stands above its models and a model "
    "above its evaluations: *Expand rows* shows them."
)
PROMOTED = "promoted"  # the alias of the version that the work tree's dvc.lock records


class Store:
    """The experiment in the tracking store."""

    def __init__(self, root: Path) -> None:
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        uri = tracking_uri(root)
        require_driver(uri, "MLFLOW_TRACKING_URI")
        try:
            self._client = MlflowClient(uri)
            found = self._client.get_experiment_by_name(EXPERIMENT)
            self.experiment_id = found.experiment_id if found else self._create(root, uri)
            if NOTE not in (found.tags if found else {}):
                note = EXPERIMENT_NOTE.format(models=models_page(self.experiment_id))
                self._client.set_experiment_tag(self.experiment_id, NOTE, note)
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

    def graph_run(self, when: Occasion, tags: dict[str, str]) -> str:
        """The id of the run that stands above all that one run of the graph made."""
        found = self._client.search_runs(
            [self.experiment_id], f"tags.`graph.run` = '{when.key}'", max_results=1
        )
        if found:
            return found[0].info.run_id
        own = {"graph.run": when.key, NOTE: when.note}
        made = self._client.create_run(
            self.experiment_id, run_name=when.title, tags={**tags, **when.tags, **own}
        )
        self._client.set_terminated(made.info.run_id, FINISHED)
        return made.info.run_id

    def write(self, record: Record, tags: dict[str, str], *, title: str, parent: str) -> TrackedRun:
        """A new run below `parent`; it reads FINISHED only when all of it is there."""
        now = int(time.time() * 1000)
        start = now - int((record.seconds or 0) * 1000)
        run = self._client.create_run(
            self.experiment_id,
            start_time=start,
            run_name=title,
            tags={**record.tags, **tags, PARENT: parent},
        )
        run_id = run.info.run_id
        self._client.log_inputs(run_id, datasets=[_dataset(one) for one in record.inputs])
        params = [Param(key, value) for key, value in sorted(record.params.items())]
        for some in _batches(params, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(run_id, params=some)
        for some in _batches([*_metrics(record, start, now)], MAX_METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=some)
        if record.model is not None:
            self._register(run_id, record, record.model)
        self._client.set_terminated(run_id, FINISHED, end_time=now)
        return self._tracked(record, run_id, tags.get("dagster.run_id"))

    def name_dagster_run(self, run: TrackedRun, dagster_run_id: str) -> TrackedRun:
        """The same run, linked to the Dagster run that materialised its artifact."""
        tags = [RunTag("dagster.run_id", dagster_run_id)]
        self._client.log_batch(run.run_id, tags=tags)
        return TrackedRun(run.stage, run.dvc_hash, run.run_id, run.experiment_id, dagster_run_id)

    def score(self, run_id: str, record: Record) -> None:
        """The main scores on the run of their model too, so that models compare by them."""
        now = int(time.time() * 1000)
        found = [Metric(key, value, now, 0) for key, value in sorted(headlines(record).items())]
        for some in _batches(found, MAX_METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=some)

    def _register(self, run_id: str, record: Record, model: Model) -> None:
        """A version of the variant in the model registry, which names the bytes and has none.

        The weights stay where DVC keeps them: a second copy of each would cost its size.
        """
        with suppress(MlflowException):  # another process has made it
            if not self._client.search_registered_models(f"name = '{model.name}'"):
                self._client.create_registered_model(model.name, description=model.about)
        self._client.log_dict(run_id, model.card, "model/model.json")
        self._client.create_model_version(
            model.name,
            source=f"{self._client.get_run(run_id).info.artifact_uri}/model",
            run_id=run_id,
            description=model.about,
            tags={"dvc.hash": record.dvc_hash, "dvc.path": record.tags["dvc.path"]},
        )

    def promote(self, name: str, dvc_hash: str) -> str | None:
        """Give the version of these bytes the alias `promoted`; its number, None without one."""
        if not self._client.search_registered_models(f"name = '{name}'"):
            return None
        versions = self._client.search_model_versions(f"name = '{name}'")
        of_bytes = [one for one in versions if one.tags.get("dvc.hash") == dvc_hash]
        if not of_bytes:
            return None
        newest = max(of_bytes, key=lambda one: int(one.version))
        current = next((one for one in versions if PROMOTED in (one.aliases or [])), None)
        if current is None or current.version != newest.version:
            self._client.set_registered_model_alias(name, PROMOTED, str(newest.version))
        return str(newest.version)

    def _tracked(self, record: Record, run_id: str, dagster_run_id: str | None) -> TrackedRun:
        return TrackedRun(record.stage, record.dvc_hash, run_id, self.experiment_id, dagster_run_id)


def _dataset(one: Input) -> DatasetInput:
    source = json.dumps({"dvc": one.path, "md5": one.dvc_hash, "stage": one.stage})
    found = Dataset(
        one.path, one.dvc_hash, "dvc", source, profile=json.dumps({"bytes": one.size_bytes})
    )
    context = InputTag("mlflow.data.context", one.context)
    return DatasetInput(found, [context])


def _metrics(record: Record, start: int, end: int) -> Iterator[Metric]:
    """The curve at its steps, spread over the time the run took, and the final numbers.

    MLflow lists metrics as they were written and opens comparisons with the first of them.
    """
    last = record.curve[-1][0] if record.curve else 0
    found = [
        Metric(key, value, start + (end - start) * step // max(last, 1), step)
        for step, values in record.curve
        for key, value in values.items()
    ]
    found += [
        Metric(key, value, start + round(at * 1000), number)
        for number, (at, values) in enumerate(record.usage)
        for key, value in values.items()
    ]
    drawn = {key for _, values in record.curve for key in values}
    found += [
        Metric(key, value, end, last)
        for key, value in sorted(record.metrics.items())
        if key not in drawn and not is_drawn(key, drawn)
    ]
    for metric in sorted(found, key=lambda one: rank(one.key)):
        yield Metric(shown_as(metric.key, drawn), metric.value, metric.timestamp, metric.step)


def _batches(items: Sequence[T], most: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, most)):
        yield some
