"""`hornbook gc`: what can be freed, and why; with --yes it is."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.lineage.leftovers import Leftover, leftovers, remove, require_checkout
from hornbook.lineage.unused import Cache, free, unused
from hornbook.progress import Reporter
from hornbook.report.statistics import size

NOTHING_REFERS = "no work tree, branch, tag, experiment or report refers to it"


@dataclass(frozen=True)
class Row:
    """One line of the table: things of one kind that go, or stay, for one reason."""

    is_free: bool
    kind: str
    number: int
    bytes: int
    reason: str


def rows(cache: Cache, found: Iterable[Leftover]) -> list[Row]:
    """What there is by kind and reason, what can go first, the largest first."""
    table: list[Row] = []
    is_free = cache.kept_because is None
    reason = NOTHING_REFERS if is_free else "nothing known refers to it; stays, see below"
    # what stays is one line, what goes one for each family that made it
    kinds = [one.made_by if is_free else "not referred to" for one in cache.unused]
    counts, sizes = Counter(kinds), Counter[str]()
    for kind, one in zip(kinds, cache.unused, strict=True):
        sizes[kind] += one.bytes
    table += [Row(is_free, f"cache: {k}", n, sizes[k], reason) for k, n in counts.items()]
    table += [Row(one.is_free, one.kind, 1, one.bytes, one.reason) for one in found]
    return sorted(table, key=lambda row: (not row.is_free, -row.bytes, row.kind, row.reason))


def lines(table: Sequence[Row], cache: Cache) -> list[str]:
    """The table for a terminal."""
    told = [
        f"{'free' if row.is_free else 'keep'}  {row.kind:<22} {row.number:>6,}  "
        f"{size(row.bytes):>9}  {row.reason}"
        for row in table
    ]
    told.append(f"keep  {'cache: in use':<22} {cache.num_used:>6,}  {'':>9}  is referred to")
    told += [f"nothing of the cache goes: {cache.kept_because}"] if cache.kept_because else []
    return [f"      {'':<22} {'number':>6}  {'size':>9}", *told]


def as_json(table: Sequence[Row], cache: Cache, found: Sequence[Leftover]) -> dict[str, Any]:
    """The same for programs, with every object and folder."""
    return {
        "bytes": _freed(table),
        "rows": [vars(row) for row in table],
        "objects": [
            {"hash": one.digest, "bytes": one.bytes, "made_by": one.made_by} for one in cache.unused
        ],
        "folders": [vars(one) | {"path": str(one.path)} for one in found],
        "kept_because": cache.kept_because,
    }


def _freed(table: Iterable[Row]) -> int:
    return sum(row.bytes for row in table if row.is_free)


def main(arguments: Sequence[str]) -> int:
    """`hornbook gc [--yes] [--scores] [--checkout PATH] [--json]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook gc",
        description="What can be freed: objects of DVC's cache that neither the work tree nor a "
        "branch, tag, experiment or the report refers to; folders of interrupted stages that "
        "nothing leads to any more; workspaces of experiments that have ended; clean copies of "
        "verifications that were cut off. Only says so, unless --yes. What a running stage uses "
        "stays, and DVC's cache as a whole while one runs.",
        epilog="Freed artifacts can be made again (hornbook run), but are not restored from the "
        "run cache any more. To keep those of an older commit, give it a tag or a branch. "
        "examples: hornbook gc; hornbook gc --yes; hornbook gc --yes --checkout ../other",
    )
    parser.add_argument("--yes", action="store_true", help="free it")
    parser.add_argument(
        "--begun", action="store_true", help="also what interrupted experiments would go on from"
    )
    parser.add_argument("--scores", action="store_true", help="also the store of items' scores")
    parser.add_argument(
        "--checkout",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="another checkout on the same cache, what it refers to stays; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    require_checkout(root)
    say = Reporter("gc", is_on_stderr=True).say
    say("looks what work trees, branches, tags and experiments refer to")
    found = leftovers(root, has_scores=options.scores, has_begun=options.begun)
    cache = unused(root, options.checkout)
    table = rows(cache, found)
    if options.json:
        print(json.dumps(as_json(table, cache, found), indent=1))  # noqa: T201
    else:
        print("\n".join(lines(table, cache)))  # noqa: T201
    if options.yes:
        say("frees it, after looking once more under DVC's lock")
        _free(root, options.checkout, cache, found)
    verb = "freed" if options.yes else "can be freed"
    how = "" if options.yes or not _freed(table) else ": hornbook gc --yes"
    print(f"{size(_freed(table))} {verb}{how}", file=sys.stderr if options.json else sys.stdout)
    return 0


def _free(root: Path, checkouts: Sequence[Path], cache: Cache, found: Iterable[Leftover]) -> None:
    for one in found:
        if one.is_free:
            remove(one)
    if cache.unused and cache.kept_because is None:
        free(root, checkouts)
