"""Which stages are out of date, and why: what the Dagster UI shows as unsynced."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hornbook.composed import uncomposed
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.run import select
from hornbook.lineage.workspace import Hasher, Reason, stale_stages
from hornbook.plain import json_text, tell

SHOWN = 4  # reasons of a stage; --json has all


def status(root: Path, names: Sequence[str] = ()) -> dict[str, list[Reason]]:
    """Out-of-date stages in topological order with their reasons."""
    graph = load_graph(root)
    hasher = Hasher(root)
    found = stale_stages(graph, load_lock(root), hasher, select(graph, names))
    hasher.save()
    return found


def main(arguments: Sequence[str]) -> int:
    """`hornbook status [STAGE ...] [--json]`; exit status 1 when something is out of date."""
    parser = argparse.ArgumentParser(
        prog="hornbook status",
        description="Which stages are out of date and why. Exit status 1 when any is.",
    )
    parser.add_argument("stages", nargs="*", help="a stage or family; default: the whole graph")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    apart = uncomposed(root)
    found = status(root, options.stages)
    if apart:
        print(f"conf/ is not in params.yaml yet: {apart}", file=sys.stderr)  # noqa: T201
        print(f"`hornbook run` takes it up, `{apart.command}` writes it", file=sys.stderr)  # noqa: T201
    if options.json:
        print(json_text({n: list(map(str, rs)) for n, rs in found.items()}, indent=None))  # noqa: T201
    elif not found and not apart:
        asked = f" of {', '.join(options.stages)} and what they read" if options.stages else ""
        tell(f"every stage{asked} is up to date")
    for name, reasons in () if options.json else found.items():
        more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        told = "; ".join(str(reason) for reason in reasons[:SHOWN])
        tell(f"{name:<28} {told}{more}")
    return 1 if found or apart else 0
