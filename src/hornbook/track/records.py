"""What a run of MLflow holds, read from an artifact and its record in `dvc.lock`."""

import csv
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import LockEntry, Stage
from hornbook.lineage.workspace import flatten
from hornbook.stage import measurements_file
from hornbook.track.occasion import TRAININGS

Metrics = dict[str, float]
Point = tuple[int, Metrics]


@dataclass(frozen=True)
class Input:
    """An artifact or input that a stage read, by the hash that DVC recorded of it."""

    path: str
    dvc_hash: str
    stage: str  # that wrote it; empty of an input of the graph
    size_bytes: int
    context: str  # training or evaluation


@dataclass(frozen=True)
class Model:
    """What the registry has of a checkpoint: its name, a sentence, and where its bytes are."""

    name: str
    about: str
    card: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One run: what is known of an artifact of a trained or evaluated variant.

    `curve` has the metrics of each logged step, `usage` those of the machine by seconds since the
    start; `seconds` is None where this machine did not make the artifact.
    """

    stage: str
    dvc_hash: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    curve: tuple[Point, ...] = ()
    seconds: float | None = None
    inputs: tuple[Input, ...] = ()
    usage: tuple[tuple[float, Metrics], ...] = ()
    model: Model | None = None


@dataclass
class _Content:
    metrics: Metrics = field(default_factory=dict[str, float])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    curve: list[Point] = field(default_factory=list[Point])


def read_record(root: Path, stage: Stage, entry: LockEntry) -> Record:
    """The record of an artifact that is in the workspace.

    Raises:
        ArtifactError: A file of it is absent or damaged.
    """
    content = READERS[stage.family](root / stage.out)
    measured = _measurements(root, stage.name, entry.out_hash)
    usage = measured.pop("usage", [])
    numbers = {f"measured/{key}": value for key, value in numeric(measured).items()}
    tags = {
        "dvc.stage": stage.name,
        "dvc.hash": entry.out_hash,
        "dvc.path": stage.out,
        "stage.family": stage.family,
        "mlflow.note.content": stage.desc,
    }
    return Record(
        stage=stage.name,
        dvc_hash=entry.out_hash,
        params={name(key): text(value) for key, value in flatten(entry.params).items()},
        metrics=content.metrics | numbers,
        tags=tags | content.tags,
        curve=tuple(content.curve),
        seconds=measured.get("seconds"),
        usage=tuple((float(one["seconds"]), numeric(one["metrics"])) for one in usage),
        inputs=_inputs(stage, entry),
        model=_model(root, stage, entry) if stage.family in TRAININGS else None,
    )


def _inputs(stage: Stage, entry: LockEntry) -> tuple[Input, ...]:
    """What the stage read besides code."""
    context = "training" if stage.family in TRAININGS else "evaluation"
    return tuple(
        Input(path, entry.deps[path], producer, entry.read.get(path, 0), context)
        for path, producer in sorted({**dict.fromkeys(stage.sources, ""), **stage.inputs}.items())
        if path in entry.deps
    )


def _model(root: Path, stage: Stage, entry: LockEntry) -> Model:
    instance = str(stage.instance)
    name = instance.rpartition("-")[0] if stage.family == "train_seed" else instance
    card = {
        "dvc": {"path": stage.out, "md5": entry.out_hash, "stage": stage.name},
        "config": read_json(root / stage.out / "config.json"),
        "fetch": f"dvc pull {stage.name}",
        "load": f"hornbook export {stage.out} FOLDER, then transformers' from_pretrained(FOLDER)",
    }
    about = f"{stage.desc} Weights: `{stage.out}` at DVC hash `{entry.out_hash}`."
    return Model(name, about, card)


def name(key: str) -> str:
    """A key with only the characters that MLflow takes."""
    return re.sub(r"[^\w.\-/: ]", "_", key.replace("@", "_at_"))


def text(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A parameter value as MLflow shows it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def numeric(values: Mapping[str, Any]) -> Metrics:
    """The finite numbers among nested values, under keys joined by a slash."""
    found: Metrics = {}
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping):
            found |= {f"{name(str(key))}/{k}": v for k, v in numeric(value).items()}
        elif (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ):
            found[name(str(key))] = float(value)
    return found


def _measurements(root: Path, stage: str, out_hash: str) -> dict[str, Any]:
    """What was measured while these bytes were made; nothing for bytes made elsewhere."""
    file = measurements_file(root, stage)
    measured = read_json(file) if file.exists() else {}
    return measured if measured.get("out_hash") == out_hash else {}


def _train(folder: Path) -> _Content:
    metrics = read_json(folder / "metrics.json")
    shape = read_json(folder / "config.json")
    tags = {
        f"model.{key}": text(value) for key, value in sorted(shape.items()) if value is not None
    }
    tags |= {"variant": folder.name, "model.parameters": text(metrics.get("parameters"))}
    return _Content(numeric(metrics), {name(k): v for k, v in tags.items()}, _curve(folder))


def _curve(folder: Path) -> list[Point]:
    file = folder / "curve.csv"
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return [
                (
                    int(row["step"]),
                    {name(k): float(v) for k, v in row.items() if v and k != "step"},
                )
                for row in csv.DictReader(lines)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{file} is not a training curve ({error!r}); run: dvc checkout {folder}"
        ) from error


def _of_seed(read: Callable[[Path], _Content]) -> Callable[[Path], _Content]:
    """The content of an artifact VARIANT-SEED, with tags for both."""

    def read_with_seed(folder: Path) -> _Content:
        content = read(folder)
        variant, _, seed = folder.name.rpartition("-")
        content.tags |= {"variant": variant, "seed": seed}
        return content

    return read_with_seed


def _suites(folder: Path) -> _Content:
    """All suites of a model, whose tasks differ."""
    content, absent = _Content(), dict[str, str]()
    for suite in sorted(file.parent for file in folder.glob("*/results.json")):
        found = _evaluate(suite)
        content.metrics |= found.metrics
        absent |= json.loads(found.tags.get("not_run", "{}"))
    if absent:
        content.tags["not_run"] = json.dumps(absent, sort_keys=True)
    return content


def _compared(folder: Path) -> _Content:
    """All suites of a model that was not trained here, and what it is."""
    content = _suites(folder)
    facts = read_json(folder / "model.json")
    content.tags |= {"variant": facts["name"]}
    content.tags |= {f"model.{k}": text(v) for k, v in facts.items() if k != "name" and v}
    return content


def _evaluate(folder: Path) -> _Content:
    results = read_json(folder / "results.json")
    content = _Content(tags={"variant": results["variant"], "suite": results["suite"]})
    absent: dict[str, str] = {}
    for cell in results["cells"]:
        if cell["value"] is None:
            absent[cell["task"]] = str(cell["not_run"])
        kept = {k: cell.get(k) for k in ("stderr", "chance", "blind", "items", "clusters")}
        found = {f"{cell['metric']}": cell["value"]}
        found |= {f"{cell['metric']}_{key}": value for key, value in kept.items()}
        content.metrics |= numeric({cell["task"]: found})
    if absent:
        content.tags["not_run"] = json.dumps(absent, sort_keys=True)
    return content


def _toxigen(folder: Path) -> _Content:
    scores = read_json(folder / "scores.json")
    return _Content(
        numeric(scores),
        {"variant": scores["variant"], "dropped_groups": text(scores["dropped"])},
    )


def _perplexity(folder: Path) -> _Content:
    """Perplexity and loss of each corpus, and of each of its domains under the corpus's name."""
    read = read_json(folder / "perplexity.json")
    content = _Content(tags={"variant": read["variant"]})
    for cell in read["cells"]:
        place = cell["source"] if cell["domain"] is None else f"{cell['source']}/{cell['domain']}"
        kept = ("loss", "loss_stderr", "perplexity", "tokens")
        found = {key: cell[key] for key in kept} | {"perplexity_stderr": cell["stderr"]}
        content.metrics |= {f"{name(place)}/{key}": v for key, v in numeric(found).items()}
    return content


def _red_team(folder: Path) -> _Content:
    scores = read_json(folder / "scores.json")
    tags = {key: text(scores[key]) for key in ("variant", "judge_model", "judge_about", "outdated")}
    return _Content(numeric(scores), tags)


READERS: Mapping[str, Callable[[Path], _Content]] = {
    "train": _train,
    "train_seed": _of_seed(_train),
    "evaluate": _evaluate,
    "evaluate_seed": _of_seed(_suites),
    "evaluate_compared": _compared,
    "perplexity": _perplexity,
    "toxigen": _toxigen,
    "toxigen_seed": _of_seed(_toxigen),
    "toxigen_compared": _toxigen,
    "red_team": _red_team,
}
