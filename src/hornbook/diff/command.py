"""The command `hornbook diff`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hornbook.diff.found import find
from hornbook.diff.terminal import lines
from hornbook.plain import json_text, tell

_DESCRIPTION = """\
Why two revisions, experiments or the work tree differ: the numbers of the tables that changed
with their errors; first causes (values, lines of code, inputs, versions of libraries); what
followed; what is not deterministic; what changed without effect. Works from dvc.lock alone;
--contents also compares what is in the artifacts, as far as DVC's cache has both sides.
"""
_EXAMPLES = """\
examples:
  hornbook diff HEAD strict-web                    an experiment with where it began
  hornbook diff HEAD~1 HEAD                        what the last commit changed
  hornbook diff HEAD workspace --stage train       the work tree; only what train is made from
  hornbook diff HEAD strict-web --contents         rows, shares, weights, answers as well
  hornbook diff HEAD strict-web --contents --html difference.html     as a page with the graph
  hornbook diff HEAD strict-web --json | jq '.causes[] | select(.kind == "parameter")'
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hornbook diff",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="a git revision, an experiment, or `workspace`")
    parser.add_argument("b", metavar="B", help="the same")
    parser.add_argument("--stage", metavar="S", help="only this stage and what it is made from")
    parser.add_argument(
        "--contents",
        action="store_true",
        help="compare data sets row by row, checkpoints layer by layer, evaluations item by item",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable, with everything")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="write one page that needs nothing else"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """`hornbook diff A B [--stage S] [--contents] [--json] [--html FILE]`."""
    options = _parser().parse_args(list(arguments))
    found = find(Path.cwd(), options.a, options.b, options.stage, is_deep=options.contents)
    if options.html is not None:
        from hornbook.artifacts import write_text
        from hornbook.diff.html import page

        write_text(options.html, page(found))
    if options.json:
        print(json_text(found.as_json()))  # noqa: T201
        return 0
    for line in lines(found):
        tell(line)
    if options.html is not None:
        tell("")
        tell(f"{options.html} has all of it as a page")
    return 0
