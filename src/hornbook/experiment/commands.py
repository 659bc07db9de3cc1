"""`hornbook experiment`: run, list, compare, promote, push, pull, remove."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from hornbook.experiment.compare import as_csv, as_json, compare, lines
from hornbook.experiment.git import forget
from hornbook.experiment.promote import promote
from hornbook.experiment.records import describe, known_experiment, listing
from hornbook.experiment.share import pull, push, remote_experiments
from hornbook.experiment.sweep import run
from hornbook.plain import json_text, one_line, visible

EXAMPLES = """examples:
  hornbook experiment run strict web.filter.threshold=4          one experiment
  hornbook experiment run strict web.filter.threshold=2,3,4      a sweep of three, side by side
  hornbook experiment run three-seeds 'seeds=[0,1,2]'            a list is no sweep
  hornbook experiment compare                                    tables of HEAD and all of them
  hornbook experiment pull strict --stage benchmark_tables       a colleague's, without checkpoints
  hornbook experiment promote strict_threshold-4                 its values become HEAD's"""


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _run(options: argparse.Namespace) -> int:
    root, tell = Path.cwd(), _tell
    names = run(root, options.name, options.overrides, options.target, jobs=options.jobs, tell=tell)
    if len(names) > 1:
        tell(f"compare: hornbook experiment compare {' '.join(names)}")
        return 0
    told = describe(root, names[0])
    tell(f"experiment {names[0]} is {told.revision[:10]}; it differs from HEAD in")
    tell(told.difference)
    tell(f"compare: hornbook diff HEAD {names[0]}")
    return 0


def _list(options: argparse.Namespace) -> int:
    if options.remote is None:
        print("\n".join(map(one_line, listing(Path.cwd()))))  # noqa: T201
        return 0
    found = remote_experiments(Path.cwd(), options.remote)
    for name, revision in sorted(found.items()):
        _tell(f"{name:<28} {revision[:10]}")
    if not found:
        _tell(f"no experiment there yet; hornbook experiment push NAME --remote {options.remote}")
    return 0


def _push(options: argparse.Namespace) -> int:
    push(Path.cwd(), options.name, options.stage, git_remote=options.remote, tell=_tell)
    return 0


def _pull(options: argparse.Namespace) -> int:
    pull(
        Path.cwd(),
        options.name,
        options.stage,
        has_inputs=options.inputs,
        git_remote=options.remote,
        tell=_tell,
    )
    return 0


def _compare(options: argparse.Namespace) -> int:
    found = compare(
        Path.cwd(), options.names, metric=options.metric, suite=options.suite, is_all=options.all
    )
    if options.json:
        print(json_text(as_json(found)))  # noqa: T201
    elif options.csv:
        print(visible(as_csv(found)), end="")  # noqa: T201
    else:
        print("\n".join(map(one_line, lines(found))))  # noqa: T201
    return 0


def _promote(options: argparse.Namespace) -> int:
    print("\n".join(promote(Path.cwd(), options.name, options.branch)))  # noqa: T201
    return 0


def _remove(options: argparse.Namespace) -> int:
    for name in options.names:
        known_experiment(Path.cwd(), name)
    for name in options.names:
        forget(Path.cwd(), name)
        _tell(f"{name} is removed; what it made stays in the cache until hornbook gc --yes")
    return 0


def _count(text: str) -> int:
    """A number of experiments."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of experiments; 1 or more")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line of `hornbook experiment`."""
    found = argparse.ArgumentParser(
        prog="hornbook experiment",
        description="Ablations: named sets of overrides, each in a workspace of its own that "
        "shares the cache, so unchanged stages cost nothing. The work tree stays as it is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = found.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "run",
        help="run NAME with OVERRIDES of conf/; several values of one make a sweep",
        description="Run an experiment. KEY=A,B,C, choice(), range() and glob() of Hydra make a "
        "sweep of every combination; run again, it runs what is missing or failed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("name", help="of the experiment; a sweep's add what differs: NAME_threshold-4")
    one.add_argument("overrides", nargs="+", help="Hydra overrides: web.filter.threshold=4")
    one.add_argument("--target", action="append", default=[], help="stop at this stage")
    one.add_argument(
        "--jobs", type=_count, help="experiments side by side (default: as the runtime allows)"
    )
    one.set_defaults(do=_run)
    shown = commands.add_parser("list", help="all experiments with the values that are their own")
    shown.add_argument("--remote", help="those that a git remote has instead: origin")
    shown.set_defaults(do=_list)
    _add_sharing(commands.add_parser("push", help="give one to others, with its artifacts"), _push)
    taken = commands.add_parser("pull", help="take one of others: commit, tables, named artifacts")
    _add_sharing(taken, _pull)
    taken.add_argument(
        "--inputs", action="store_true", help="also what these stages read, to make them again"
    )
    _add_compare(commands.add_parser("compare", help="tables of HEAD and experiments side by side"))
    next_head = commands.add_parser(
        "promote",
        help="make an experiment the next commit: its overrides in conf/, its record, its files",
        description="conf/experiment/NAME.yaml gets the overrides and conf/config.yaml chooses it, "
        "params.yaml and dvc.lock are the experiment's; its artifacts are checked out.",
        epilog="examples: hornbook experiment promote strict; "
        "hornbook experiment promote strict --branch strict-web",
    )
    next_head.add_argument("name")
    next_head.add_argument("--branch", help="a new branch instead; the work tree stays as it is")
    next_head.set_defaults(do=_promote)
    gone = commands.add_parser("remove", help="forget experiments; the cache keeps their files")
    gone.add_argument("names", nargs="+", metavar="name")
    gone.set_defaults(do=_remove)
    return found


def _add_sharing(found: argparse.ArgumentParser, do: Callable[[argparse.Namespace], int]) -> None:
    found.add_argument("name")
    found.add_argument(
        "--stage",
        action="append",
        default=[],
        help="only the artifact of this stage (push: all of the experiment's, pull: its tables)",
    )
    found.add_argument("--remote", default="origin", help="the git remote (default: origin)")
    found.set_defaults(do=do)


def _add_compare(found: argparse.ArgumentParser) -> None:
    found.description = (
        "The values in which HEAD and experiments (all of them by default) differ, and the cells "
        "of the tables that are not the same, with errors; the best of a row has a star."
    )
    found.epilog = "examples: hornbook experiment compare strict lax --metric acc --csv > them.csv"
    found.add_argument("names", nargs="*", metavar="name", help="experiments or git revisions")
    found.add_argument("--metric", help="only cells of this metric: acc, pass@1, perplexity")
    found.add_argument("--suite", help="only cells of this suite: choice, code, micro, perplexity")
    found.add_argument("--all", action="store_true", help="also cells that are all the same")
    forms = found.add_mutually_exclusive_group()
    forms.add_argument("--csv", action="store_true", help="a sheet")
    forms.add_argument("--json", action="store_true", help="machine-readable")
    found.set_defaults(do=_compare)


def main(arguments: Sequence[str]) -> int:
    """`hornbook experiment run|list|compare|promote|push|pull|remove`."""
    options = parser().parse_args(list(arguments))
    return int(options.do(options))
