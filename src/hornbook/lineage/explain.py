"""`hornbook explain`: where an artifact, or a cell of the tables, comes from, down to the inputs.

From `dvc.lock` alone, so it works for any revision and without the data; what a stage took is
added where this machine made exactly these bytes.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hornbook.diff.revisions import resolve_revision
from hornbook.errors import ConfigError
from hornbook.lineage.adopt import adopted
from hornbook.lineage.cells import readable_cells
from hornbook.lineage.forecast import duration
from hornbook.lineage.manifest import LockEntry, load_lock
from hornbook.lineage.past import measured
from hornbook.lineage.pieces import cached_json
from hornbook.lineage.receipts import known
from hornbook.lineage.workspace import CODE, flatten
from hornbook.plain import json_text, tell

SHOWN_VALUES = 6
EMPTY = "there is no dvc.lock, or nothing in it; hornbook run makes the artifacts and records them"


@dataclass(frozen=True)
class Node:
    """A recorded stage: what it wrote, from which stages, files of code and inputs, and values.

    `seconds`, `cpu_seconds` and `cost_usd` are None where nobody here knows them, `verified` is
    the receipt of `hornbook verify` where there is one of these bytes, `adopted` the reason where
    it was not made by what is recorded of it.
    """

    stage: str
    path: str
    hash: str
    size_bytes: int
    parents: tuple[str, ...]
    sources: Mapping[str, str]
    code: Mapping[str, str]
    params: Mapping[str, Any]
    seconds: float | None
    cpu_seconds: float | None
    cost_usd: float | None
    verified: Mapping[str, Any] | None
    adopted: Mapping[str, Any] | None

    @property
    def seeds(self) -> dict[str, Any]:
        """The values that are seeds."""
        return {key: value for key, value in self.params.items() if key.endswith("seed")}


def provenance(
    root: Path, lock: Mapping[str, LockEntry], stage: str, revision: str | None = None
) -> dict[str, Node]:
    """A stage and everything that it was made from, itself first, then by distance."""
    kept = adopted(root, lock, revision)
    made = {out: name for name, entry in lock.items() for out in entry.outs}
    found: dict[str, Node] = {}
    todo = [stage]
    while todo:
        name = todo.pop(0)
        if name not in found:
            found[name] = replace(_node(root, name, lock[name], made), adopted=kept.get(name))
            todo += found[name].parents
    return found


def _node(root: Path, name: str, entry: LockEntry, made: Mapping[str, str]) -> Node:
    parents: list[str] = []
    sources: dict[str, str] = {}
    code: dict[str, str] = {}
    for path, digest in sorted(entry.deps.items()):
        maker = next((made[o] for o in made if path == o or path.startswith(f"{o}/")), None)
        if maker is not None:
            parents.append(maker)
        else:
            (code if path.startswith(CODE) else sources)[path] = digest
    took = measured(root, name)
    took = took if took.get("out_hash") == entry.out_hash else {}
    summary = cached_json(root, entry.out_hash, "summary.json")
    cost = summary.get("cost_usd") if isinstance(summary, dict) else None
    return Node(
        stage=name,
        path=next(iter(entry.outs), ""),
        hash=entry.out_hash,
        size_bytes=sum(entry.sizes.values()),
        parents=tuple(dict.fromkeys(parents)),
        sources=sources,
        code=code,
        params=flatten(entry.params),
        seconds=took.get("seconds"),
        cpu_seconds=took.get("cpu_seconds"),
        cost_usd=cost if isinstance(cost, int | float) else None,
        verified=known(root, name, entry.out_hash),
        adopted=None,
    )


def find(root: Path, lock: Mapping[str, LockEntry], name: str) -> tuple[str, str]:
    """The stage that a name means, and what it is: a stage, an artifact's path, or a cell.

    A cell is TASK@VARIANT as the tables have it: `micro_steps@phi-1_5`, `HumanEval@phi-1_5-web`.

    Raises:
        ConfigError: Nothing has that name.
    """
    if name in lock:
        return name, f"stage {name}"
    for stage, entry in lock.items():
        if any(name.rstrip("/") == out or name.startswith(f"{out}/") for out in entry.outs):
            return stage, f"artifact {name}"
    task, _, variant = name.partition("@")
    cells, missing = readable_cells(root, lock)
    meant = [c for c in cells if variant == c.variant and task.lower() in c.names]
    if meant:
        return meant[0].stage, f"cell {name}: {'; '.join(map(str, meant))}"
    of_task = [cell.variant for cell in cells if task.lower() in cell.names]
    if of_task:
        raise ConfigError(
            f"{task} has no cell of {variant!r}; it has those of {', '.join(of_task)}"
        )
    known = ", ".join(sorted({cell.task for cell in cells})) or "none here"
    if not lock:
        raise ConfigError(f"nothing is recorded that could be explained: {EMPTY}")
    raise ConfigError(
        f"{name!r} is no recorded stage, no artifact and no cell; a stage is e.g. train@phi-1_5, "
        f"an artifact artifacts/web/filtered, a cell TASK@VARIANT with a task of: {known}"
        + "".join(
            f". The cells of {stage} are {why} `dvc pull {stage}` brings them"
            for stage, why in missing.items()
        )
    )


def tree(nodes: Mapping[str, Node], top: str) -> list[str]:
    """The stages as a tree; one that came before is named and not unfolded again."""
    lines: list[str] = []
    seen: set[str] = set()

    def add(name: str, indent: str) -> None:
        node = nodes[name]
        if name in seen:
            lines.append(f"{indent}{name} (above)")
            return
        seen.add(name)
        took = "" if node.seconds is None else f"  {duration(node.seconds)}"
        lines.append(f"{indent}{name}  {node.hash[:7]}  {node.path}{took}")
        inner = f"{indent}    "
        lines.extend(f"{inner}{text}" for text in _told(node))
        for parent in node.parents:
            add(parent, f"{indent}  ")

    add(top, "")
    return lines


def _told(node: Node) -> list[str]:
    told = [f"input {path} {digest[:7]}" for path, digest in node.sources.items()]
    if node.seeds:
        told.append("seeds " + ", ".join(f"{key}={value}" for key, value in node.seeds.items()))
    # what is checked of a result is no cause of it
    left_out = {*node.seeds, *(key for key in node.params if key.endswith("expectations"))}
    values = {key: value for key, value in node.params.items() if key not in left_out}
    shown = [f"{key}={_short(value)}" for key, value in list(values.items())[:SHOWN_VALUES]]
    more = len(values) - SHOWN_VALUES
    if shown:
        told.append("values " + ", ".join(shown) + (f", and {more} more" if more > 0 else ""))
    told.append(f"code {len(node.code)} files")
    if node.adopted is not None:
        told.append(f"adopted, not made again: {node.adopted['reason']} ({node.adopted['by']})")
    if node.verified is not None:
        told.append(f"made again {node.verified['text']} (at {node.verified['revision'][:7]})")
    return told


def _short(value: Any) -> str:  # noqa: ANN401 - any YAML value
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def total(nodes: Mapping[str, Node]) -> str:
    """What all of it took, as far as it was made here."""
    known = [node for node in nodes.values() if node.cpu_seconds is not None]
    cpu = sum(node.cpu_seconds or 0 for node in known)
    cost = sum(node.cost_usd or 0 for node in nodes.values())
    size = sum(node.size_bytes for node in nodes.values())
    left = len(nodes) - len(known)
    parts = [f"{len(nodes)} stages"]
    parts += [f"{duration(cpu)} of CPU"] if known else ["none of them made here"]
    parts += [f"without {left} that were not made here"] if left and known else []
    return ", ".join([*parts, f"${cost:.2f} of teacher", f"{size / 1e6:,.1f} MB"])


def as_prov(nodes: Mapping[str, Node]) -> dict[str, Any]:
    """The same as a PROV-JSON document (W3C member submission of 24 April 2013)."""
    entities: dict[str, Any] = {}
    activities: dict[str, Any] = {}
    used: dict[str, Any] = {}
    generated: dict[str, Any] = {}
    for node in nodes.values():
        activity, artifact = f"hornbook:run/{node.stage}", _entity(node.path, node.hash)
        entities[artifact] = {"prov:location": node.path, "hornbook:md5": node.hash}
        activities[activity] = {f"hornbook:{key}": _prov(v) for key, v in node.params.items()}
        generated[f"_:g/{node.stage}"] = {"prov:entity": artifact, "prov:activity": activity}
        reads = {
            **node.code,
            **node.sources,
            **{nodes[p].path: nodes[p].hash for p in node.parents},
        }
        for path, digest in sorted(reads.items()):
            entity = _entity(path, digest)
            entities.setdefault(entity, {"prov:location": path, "hornbook:md5": digest})
            used[f"_:u/{node.stage}/{path}"] = {"prov:activity": activity, "prov:entity": entity}
    return {
        "prefix": {"hornbook": "urn:hornbook:"},
        "entity": entities,
        "activity": activities,
        "used": used,
        "wasGeneratedBy": generated,
    }


def _entity(path: str, digest: str) -> str:
    return f"hornbook:file/{path}@{digest}"


def _prov(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A value that PROV-JSON may hold: numbers, texts and truth as they are, others as text."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value, default=str)


def main(arguments: Sequence[str]) -> int:
    """`hornbook explain NAME [--at REVISION] [--json | --prov]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook explain",
        description="Where an artifact or a cell of the tables comes from: every stage, value, "
        "seed, file of code and input behind it, and what it took. Works from dvc.lock alone.",
        epilog="examples: hornbook explain train@phi-1_5; hornbook explain artifacts/web/filtered; "
        "hornbook explain micro_steps@phi-1_5-web --at strict-web; "
        "hornbook explain report --prov > provenance.json",
    )
    parser.add_argument("name", help="a stage, an artifact's path, or a cell as TASK@VARIANT")
    parser.add_argument("--at", default="workspace", help="a git revision or an experiment")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="every stage with all it read")
    kind.add_argument("--prov", action="store_true", help="a W3C PROV document (PROV-JSON)")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    revision = resolve_revision(root, options.at)
    lock = load_lock(root, revision)
    stage, what = find(root, lock, options.name)
    nodes = provenance(root, lock, stage, revision)
    if options.json or options.prov:
        found = as_prov(nodes) if options.prov else {k: vars(v) for k, v in nodes.items()}
        print(json_text(found, sort_keys=True))  # noqa: T201
        return 0
    tell(f"{what}, {total(nodes)}")
    for line in tree(nodes, stage):
        tell(line)
    return 0
