"""`hornbook verify`: recorded artifacts made again in a clean copy, and compared with the record.

DVC says what an artifact was made from; that it comes out the same when it is made again is shown
here, by doing it.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hornbook.errors import ConfigError, HornbookError
from hornbook.lineage.forecast import duration, expected
from hornbook.lineage.inputs import pull_inputs
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.processes import sigterm_as_interrupt
from hornbook.lineage.receipts import Receipt, as_json, keep
from hornbook.lineage.reproduction import SAMPLED, Asked, Say, reproduce
from hornbook.lineage.run import named

CHEAP_SECONDS = 60
# the same steps with a processor's older instructions: .001 of a gradient norm after 60 of them
TOLERANCE = 1e-2


@dataclass
class Verified:
    """What came of each stage; `before` are those whose receipt of earlier still counts."""

    receipts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    before: list[str] = field(default_factory=list[str])
    errors: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def status(self) -> int:
        """The exit status: 0 all the same, 1 one differs, 2 one could not be made again."""
        differs = any(one["result"] == "differs" for one in self.receipts.values())
        return 2 if self.errors else int(differs)


def verify(root: Path, names: Sequence[str], asked: Asked, say: Say) -> Verified:
    """Verify stages in the order of the graph, one after the other."""
    graph, lock, found = load_graph(root), load_lock(root), Verified()
    takes = expected(graph, lock, root)
    for number, name in enumerate(names, 1):
        seconds = takes[name].seconds
        is_part = asked.sample is not None and graph.stages[name].family in SAMPLED
        about = f", about {duration(seconds)}" if seconds is not None and not is_part else ""
        say(f"{name:<28} {number}/{len(names)}{about}")
        try:
            receipt = reproduce(root, graph, lock.get(name), graph.stages[name], asked, say)
        except HornbookError as error:
            found.errors[name] = str(error)
            say(f"{name:<28} not verified: {error}")
            continue
        if isinstance(receipt, Receipt):
            keep(root, receipt)
            say(f"{name:<28} {receipt}")
            receipt = as_json(receipt)
        else:
            found.before.append(name)
            say(f"{name:<28} as before: {receipt['text']}")
        found.receipts[name] = receipt
    return found


def chosen(root: Path, names: Sequence[str], *, is_all: bool, asked: Asked) -> list[str]:
    """The stages to verify: those named, all recorded ones, or those that take little here.

    Raises:
        ConfigError: A name is no stage, or no stage is known to take little.
    """
    graph, lock = load_graph(root), load_lock(root)
    if names:
        return named(graph, names)
    if is_all:
        return [name for name in graph.stages if name in lock]
    takes = expected(graph, lock, root)
    found = [
        name
        for name, stage in graph.stages.items()
        if name in lock
        and (
            (asked.sample is not None and stage.family in SAMPLED)
            or ((seconds := takes[name].seconds) is not None and seconds <= CHEAP_SECONDS)
        )
    ]
    if not found:
        raise ConfigError(
            f"no stage is known to take under {CHEAP_SECONDS} s here, because none has run here; "
            f"name the stages (hornbook verify tokenizer tokens), or --all"
        )
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hornbook verify",
        description="Make recorded artifacts again and compare them with the record. A stage runs "
        "in a clean copy: code and values of the work tree, the recorded inputs from DVC's cache, "
        "nothing of earlier runs; no endpoint is called (recorded answers of the teacher are "
        "replayed) and the work tree and dvc.lock stay as they are. Says for each: bit-equal, "
        "within tolerance (numbers of stages whose bytes depend on the processor), or the first "
        f"place that differs. Without STAGE: what takes under {CHEAP_SECONDS} s by the last runs.",
        epilog="A sample is N steps of train and train_seed from the first (the curve, and the "
        "order of all sequences by its digest); the first N items of each benchmark of evaluate, "
        "evaluate_seed and evaluate_compared (item by item); the first N answers of book_answers "
        "(replayed); N drawn shards of tokens, decontaminate, web_scores, code_scores, web_filter "
        "and code_filter (file by file), web_corpus and code_corpus (row by row). "
        "Other stages are made whole. Exit status: 0 all the same, 1 one differs, 2 one could not "
        "be made again. "
        "Receipts are in .hornbook/receipts, and hornbook explain shows them. "
        "examples: hornbook verify; hornbook verify tokenizer web_filter; "
        "hornbook verify train --sample 40; hornbook verify --all",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="a stage or a family")
    parser.add_argument("--all", action="store_true", help="every recorded stage")
    parser.add_argument(
        "--sample", type=_count, metavar="N", help="so many steps, items, answers or shards"
    )
    parser.add_argument(
        "--tolerance",
        type=_distance,
        default=TOLERANCE,
        help="largest relative difference of two numbers, to the largest magnitude of their column "
        "or tensor (default: %(default)g; 0 asks for equal bytes)",
    )
    parser.add_argument(
        "--again", action="store_true", help="also what was verified with the same hashes"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps or items; 1 or more")
    return int(text)


def _distance(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no distance; 0 or more, as in 1e-3")
    return found


def main(arguments: Sequence[str]) -> int:
    """`hornbook verify [STAGE ...] [--all] [--sample N] [--again] [--json]`."""
    options = _parser().parse_args(list(arguments))
    root = Path.cwd()
    asked = Asked(options.sample, options.tolerance, options.again)
    pull_inputs(root)
    names = chosen(root, options.stages, is_all=options.all, asked=asked)
    stream = sys.stderr if options.json else sys.stdout

    def say(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    with sigterm_as_interrupt():
        found = verify(root, names, asked, say)
    if options.json:
        print(json.dumps({"receipts": found.receipts, "errors": found.errors}, indent=1))  # noqa: T201
        return found.status
    for line in _summary(found):
        say(line)
    return found.status


def _summary(found: Verified) -> list[str]:
    counts: dict[str, int] = {}
    for receipt in found.receipts.values():
        counts[receipt["result"]] = counts.get(receipt["result"], 0) + 1
    parts = [f"{count} {result}" for result, count in sorted(counts.items())]
    parts += [f"{len(found.errors)} not verified"] if found.errors else []
    before = f" ({len(found.before)} as before; --again makes them again)" if found.before else ""
    return ["", f"{', '.join(parts) or 'nothing'}{before}"]
