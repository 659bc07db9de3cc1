"""What git sees of `dvc.lock`: a re-measurement on another processor is not a change (D-002).

Training ends in other bytes on another processor, so `dvc.lock` differs after the same experiment
on another machine. As git's clean filter this shows git the version it already has whenever the
two locks record the same experiment, that is, they differ only in outputs of stages whose bytes
depend on the processor (`meta.processor` in `dvc.yaml`) and in what follows from those. Any other
difference (a parameter, code, an input, a portable output) passes through whole.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hornbook.errors import HornbookError
from hornbook.lineage.manifest import Graph, LockEntry, load_graph, parse_lock


def processor_dependent(graph: Graph) -> set[str]:
    """Stages whose bytes may differ between processors, with all that read them."""
    own = [stage.name for stage in graph.stages.values() if stage.meta.get("processor")]
    return {*own, *graph.descendants(own)}


def is_same_experiment(
    graph: Graph, ours: Mapping[str, LockEntry], theirs: Mapping[str, LockEntry]
) -> bool:
    """Whether two locks record the same experiment, run on any processor."""
    free = processor_dependent(graph)
    free_paths = {graph.stages[name].out for name in free}
    return set(ours) == set(theirs) and all(
        ours[name].cmd == theirs[name].cmd
        and ours[name].params == theirs[name].params
        and _bound(ours[name].deps, free_paths) == _bound(theirs[name].deps, free_paths)
        and _bound(ours[name].outs, free_paths) == _bound(theirs[name].outs, free_paths)
        for name in ours
    )


def _bound(hashes: Mapping[str, str], free: set[str]) -> dict[str, str]:
    """Hashes with those that may differ between processors blanked."""
    return {path: "" if path in free else value for path, value in hashes.items()}


def clean(root: Path, text: str) -> str:
    """What git should store for a work tree's `dvc.lock`."""
    shown = subprocess.run(
        ["git", "show", ":dvc.lock"], cwd=root, capture_output=True, text=True, check=False
    )
    if shown.returncode or not shown.stdout:
        return text
    try:
        same = is_same_experiment(load_graph(root), parse_lock(text), parse_lock(shown.stdout))
    except (HornbookError, KeyError, TypeError):
        return text
    return shown.stdout if same else text


if __name__ == "__main__":
    sys.stdout.write(clean(Path.cwd(), sys.stdin.read()))
