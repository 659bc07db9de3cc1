"""`hornbook adopt`: keep an artifact as the record of a stage that changed since, with a reason.

A comment in a file of code makes a training of three days stale. Making it again gives the same
bytes, and `dvc commit` would say so without a trace; here the reason goes into `adopted.yaml`,
which git tracks, and stays with every table made from it until the stage runs again.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hornbook.artifacts import write_text
from hornbook.composed import composed_anew
from hornbook.errors import ArtifactError, ConfigError, StageError
from hornbook.lineage.cache import cache_folder
from hornbook.lineage.holding import require_writable, using_cache, using_tree
from hornbook.lineage.manifest import (
    Graph,
    LockEntry,
    Stage,
    git_show,
    load_graph,
    load_lock,
    parse_yaml,
)
from hornbook.lineage.processes import dvc_environment, git_says
from hornbook.lineage.reading import refused
from hornbook.lineage.repro import is_chatter
from hornbook.lineage.run import named
from hornbook.lineage.workspace import Hasher, Reason, require_fresh, stale_stages
from hornbook.progress import Progress, Reporter

FILE = "adopted.yaml"
SECONDS = 2.0  # between two lines of progress
HEAD = """\
# Artifacts that were kept when their stage had changed, and why. Written by `hornbook adopt`; an
# entry counts as long as dvc.lock records what it recorded then.
"""


def adopted(
    root: Path, lock: Mapping[str, LockEntry], revision: str | None = None
) -> dict[str, dict[str, Any]]:
    """What was adopted and not made again since, by stage: `reason`, `by`, and what `differed`."""
    if revision is None:
        file = root / FILE
        with refused(FILE, f"git checkout {FILE} puts back what was committed"):
            text = file.read_text("utf-8") if file.exists() else None
    else:
        text = git_show(root, revision, FILE)
    with refused(FILE, f"git log -p {FILE} has it as it was written; an adoption is never guessed"):
        found: dict[str, dict[str, Any]] = parse_yaml(text) or {} if text else {}
        return {
            name: {**one, "reason": str(one["reason"]), "by": str(one["by"])}
            for name, one in found.items()
            if name in lock and one["record"] == _record(lock[name])
        }


def as_line(name: str, one: Mapping[str, Any]) -> str:
    """One adoption as a line for a person."""
    return f"{name} was adopted, not made again: {one['reason']} ({one['by']})"


def _record(entry: LockEntry) -> str:
    """The hash of what `dvc.lock` says of a stage."""
    text = json.dumps(
        [entry.cmd, dict(entry.params), dict(entry.deps), dict(entry.outs)],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def adopt(root: Path, names: Sequence[str], reason: str) -> dict[str, list[Reason]]:
    """Record the artifacts on disk as what the stages write now; what had differed, by stage.

    Raises:
        ArtifactError: An artifact is missing, or what it was made from is itself out of date.
        StageError: DVC could not record it.
    """
    graph = load_graph(root)
    done: dict[str, list[Reason]] = {}
    told = Progress(
        Reporter("adopt"), total=len(names), unit="stages", what="recorded", seconds=SECONDS
    )
    require_writable(cache_folder(root))
    for name in names:
        told.advance()
        stage, hasher = graph.stages[name], Hasher(root)
        reasons = stale_stages(graph, load_lock(root), hasher, [name]).get(name)
        require_fresh(graph, load_lock(root), hasher, stage)
        hasher.save()
        if not reasons:
            continue
        if not (root / stage.out).exists():
            raise ArtifactError(
                f"{name}: {stage.out} is missing, so there is nothing to adopt; the recorded one "
                f"comes back by dvc checkout {stage.out}, another one by hornbook run {name}"
            )
        # the reason first: killed in between, it is one for nothing; the other way round, an
        # artifact would be recorded without it
        _write(root, name, _expected(graph, stage, hasher), reasons, reason)
        _commit(root, name)
        made = load_lock(root)[name]
        if name not in adopted(root, {name: made}):
            _write(root, name, made, reasons, reason)
        done[name] = reasons
    return done


def _expected(graph: Graph, stage: Stage, hasher: Hasher) -> LockEntry:
    """What DVC will record."""
    deps = {path: hasher.hash(path) for path in stage.deps}
    return LockEntry(
        stage.cmd, deps, graph.param_values(stage), {stage.out: hasher.hash(stage.out)}
    )


def _commit(root: Path, name: str) -> None:
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "commit", "--force", name]
    with using_cache(root):
        ended = subprocess.run(
            command, cwd=root, env=dvc_environment(), capture_output=True, text=True, check=False
        )
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if not is_chatter(line)]
        raise StageError(f"{name} was not adopted: {' '.join(lines)[-500:]}")


def _write(root: Path, name: str, entry: LockEntry, reasons: Sequence[Reason], reason: str) -> None:
    entries = adopted(root, load_lock(root))  # those that no longer count go
    entries[name] = {
        "artifact": entry.out_hash,
        "by": _author(root),
        "differed": [str(one) for one in reasons],
        "reason": reason,
        "record": _record(entry),
    }
    text = yaml.safe_dump(entries, sort_keys=True, allow_unicode=True, width=100)
    write_text(root / FILE, HEAD + text)


def _author(root: Path) -> str:
    return git_says(root, "config", "user.name") or "unnamed"


def main(arguments: Sequence[str]) -> int:
    """`hornbook adopt STAGE... --reason TEXT`."""
    parser = argparse.ArgumentParser(
        prog="hornbook adopt",
        description="Keep artifacts whose stages have changed in a way that changes no byte of "
        "them: dvc.lock records them for what the stages are now, and adopted.yaml, which git "
        "tracks, says why. Tables, `explain` and the UI show the reason until the stage runs "
        "again. `hornbook verify STAGE` shows whether it was true.",
        epilog="examples: hornbook adopt train --reason 'a comment in train/loop.py'; "
        "hornbook adopt --all --reason 'docstrings only'; hornbook adopt --list",
    )
    parser.add_argument("stages", nargs="*", help="a stage (train@phi-1_5) or a family (train)")
    parser.add_argument("--all", action="store_true", help="every stage that is out of date")
    parser.add_argument("--reason", help="why its bytes are those that it would write")
    parser.add_argument("--list", action="store_true", help="what is adopted")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    if options.list:
        lines = [as_line(name, one) for name, one in adopted(root, load_lock(root)).items()]
        print("\n".join(lines) or "nothing is adopted")  # noqa: T201
        return 0
    if not (options.reason or "").strip():
        raise ConfigError("an adoption needs its --reason: it stands beside every table made of it")
    if bool(options.stages) == options.all:
        raise ConfigError("name the stages to adopt, or say --all; hornbook status lists them")
    with using_tree(root, print):
        return _adopt(root, options)


def _adopt(root: Path, options: argparse.Namespace) -> int:
    if anew := composed_anew(root):
        print(anew)  # noqa: T201
    graph, hasher = load_graph(root), Hasher(root)
    stale = stale_stages(graph, load_lock(root), hasher)
    hasher.save()
    names = named(graph, options.stages) if options.stages else list(stale)
    done = adopt(root, names, options.reason.strip())
    for name, reasons in done.items():
        print(f"{name:<28} adopted although {'; '.join(map(str, reasons[:4]))}")  # noqa: T201
    print(f"{len(done)} adopted; commit dvc.lock and {FILE}" if done else "nothing to adopt")  # noqa: T201
    return 0
