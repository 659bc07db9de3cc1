"""What a materialisation shows: outcome, hash, sizes, rows, parameters, tables, pictures, run."""

import base64
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.columns import column_metadata
from dagster_project.manifest import graph_of, lock_of
from hornbook.artifacts import read_json
from hornbook.lineage.adopt import adopted
from hornbook.lineage.explain import provenance, total, tree
from hornbook.lineage.manifest import LockEntry, Stage
from hornbook.lineage.processes import dvc_environment
from hornbook.stage import measurements_file, parse_summary
from hornbook.track import index
from hornbook.track.addresses import mlflow_url, models_page, run_page
from hornbook.track.runs import FAMILIES

LARGEST_SHOWN_BYTES = 2_000_000
LARGEST_TREE = 20_000  # characters
MOST_NUMBERS = 16  # of one fact, as charts of their own; more are one table


def materialisation_metadata(
    root: Path,
    stage: Stage,
    entry: LockEntry,
    outcome: str,
    dagster_run: str | None,
    because: str = "",
) -> dict[str, Any]:
    """All that the artifact, its record and its measurements tell, as Dagster metadata.

    Numbers stand under keys of their own, since the UI draws each over time. `because` is why
    the stage ran.
    """
    out = root / stage.out
    shown: dict[str, Any] = {
        "outcome": outcome,
        **({"because": because} if because else {}),
        "dvc/hash": entry.out_hash,
        "dvc/path": dg.MetadataValue.path(str(out)),
        "bytes": sum(entry.sizes.values()),
        "parameters": dg.MetadataValue.json(dict(entry.params)),
        "inputs": dg.MetadataValue.json({k: v for k, v in entry.deps.items() if k in stage.inputs}),
    }
    if one := adopted(root, {stage.name: entry}).get(stage.name):
        shown["adopted, not made again"] = f"{one['reason']} ({one['by']})"
    facts = _summary(out)
    shown |= {f"artifact/{k}" if k in shown else k: v for k, v in facts.items()}
    shown |= _measurements(root, stage.name, entry.out_hash)
    shown |= column_metadata(root, stage, graph_of(root))
    shown |= _pictures(out, stage.meta.get("show", []))
    shown |= _provenance(root, stage.name)
    shown |= _mlflow(root, stage, entry, dagster_run, is_new=outcome != "unchanged")
    return shown


def _summary(out: Path) -> dict[str, Any]:
    """Facts of `summary.json`; row counts under the key that Dagster draws a chart of."""
    found: dict[str, Any] = {}
    for key, value in parse_summary(out).items():
        numbers = flat_numbers({key: value})
        if 0 < len(numbers) <= MOST_NUMBERS:
            found |= numbers
        elif isinstance(value, Mapping | list):
            found[key] = dg.MetadataValue.json(value)
        elif value is not None:
            found[key] = value
    rows = found.get("rows", found.get("documents"))
    return found | ({"dagster/row_count": int(rows)} if isinstance(rows, int) else {})


def flat_numbers(values: Mapping[str, Any]) -> dict[str, int | float]:
    """The numbers of nested mappings by their path, `dropped/too_short`; other values left out."""
    found: dict[str, int | float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            inner = flat_numbers(value)
            found |= {f"{key}/{name}": number for name, number in inner.items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[key] = value
    return found


def _measurements(root: Path, name: str, out_hash: str) -> dict[str, Any]:
    """Seconds, memory, throughput, spending of the run that made exactly these bytes."""
    file = measurements_file(root, name)
    if not file.exists():
        return {}
    measured = read_json(file)
    if measured["out_hash"] != out_hash:
        return {}
    return {f"measured/{key}": value for key, value in flat_numbers(measured).items()}


def _provenance(root: Path, name: str) -> dict[str, Any]:
    """What `hornbook explain` tells: every stage, value, seed and input behind the artifact."""
    nodes = provenance(root, lock_of(root), name)
    text = "\n".join(tree(nodes, name))
    if len(text) > LARGEST_TREE:
        text = f"{text[:LARGEST_TREE]}\n... all of it: hornbook explain {name}"
    return {"where it comes from": dg.MetadataValue.md(f"{total(nodes)}\n```text\n{text}\n```")}


def _pictures(out: Path, names: list[str]) -> dict[str, Any]:
    """Tables as Markdown, pictures inside Markdown, so that the UI shows the thing itself."""
    found: dict[str, Any] = {}
    for name in names:
        file = out / name
        if not file.exists() or file.stat().st_size > LARGEST_SHOWN_BYTES:
            continue
        if file.suffix == ".md":
            found[file.stem] = dg.MetadataValue.md(file.read_text("utf-8"))
        elif file.suffix == ".json":
            found[file.stem] = dg.MetadataValue.json(read_json(file))
        elif file.suffix == ".png":
            data = base64.b64encode(file.read_bytes()).decode()
            found[file.stem] = dg.MetadataValue.md(f"![{file.stem}](data:image/png;base64,{data})")
        elif file.suffix == ".html":
            found[file.stem] = dg.MetadataValue.url(file.resolve().as_uri())
    return found


def _mlflow(
    root: Path, stage: Stage, entry: LockEntry, dagster_run: str | None, *, is_new: bool
) -> dict[str, Any]:
    """A link to the MLflow run of a trained or evaluated variant.

    A Dagster run that made the artifact writes it now; the sync sensor and a stage that was
    unchanged, which have to be quick, only look.
    """
    if stage.family not in FAMILIES:
        return {}
    told, artifact = "not tracked: hornbook track", (stage.name, entry.out_hash)
    if dagster_run and is_new:
        told = _track(root, stage.name, dagster_run)
    run = index.load(root).get(artifact)
    if run is None:
        return {"mlflow": told}
    models = f"{mlflow_url()}/{models_page(run.experiment_id)}"
    return {
        "mlflow": dg.MetadataValue.url(run_page(run.experiment_id, run.run_id)),
        "mlflow, all models": dg.MetadataValue.url(models),
    }


def _track(root: Path, name: str, dagster_run: str) -> str:
    """Write the MLflow run of a stage; what went wrong, if anything."""
    command = [sys.executable, "-m", "hornbook", "track", "--stage", name]
    done = subprocess.run(
        [*command, "--dagster-run", dagster_run],
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return f"not tracked: {done.stderr[-500:].strip() or 'no run was written'}"
