"""`hornbook experiment`: overrides are validated by our schema, then DVC runs them aside.

The overrides are composed and checked here, and reach DVC as the values that differ from
`params.yaml`: DVC's own composer would bypass the schema and know nothing of what is resolved.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hornbook.compose import compose
from hornbook.errors import ConfigError, StageError
from hornbook.lineage.cache import cached_text
from hornbook.lineage.diff import as_markdown, changed_numbers, diff, experiments, resolve_revision
from hornbook.lineage.inputs import pull_inputs
from hornbook.lineage.manifest import git_show, load_lock, parse_yaml
from hornbook.lineage.processes import dvc_environment
from hornbook.lineage.workspace import flatten

TABLES = "benchmark_tables"
SHOWN = 6  # values of an experiment in a list
BEFORE = ".before"  # behind the name of an experiment while another run of it takes its place
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Described:
    """An experiment as it is shown: revision, what differs from HEAD, its tables."""

    revision: str
    difference: str
    tables: str


def changed_values(root: Path, overrides: Sequence[str]) -> list[str]:
    """`dvc exp run --set-param` arguments that turn `params.yaml` into the composed values.

    Raises:
        ConfigError: The overrides do not compose.
    """
    composed = compose(root, overrides)
    written = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    now, was = flatten(composed), flatten(written)
    gone = [f"~{key}" for key in _gone(written, composed)]
    new = [f"+{key}={_grammar(now[key])}" for key in sorted(set(now) - set(was))]
    same = sorted(key for key in set(now) & set(was) if now[key] != was[key])
    return [*gone, *(f"{key}={_grammar(now[key])}" for key in same), *new]


def _gone(was: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys that are no more; a whole mapping is one, so that none stays behind empty."""
    for key, value in sorted(was.items()):
        if key not in now:
            yield f"{prefix}{key}"
        elif isinstance(value, Mapping) and isinstance(now[key], Mapping):
            yield from _gone(value, now[key], f"{prefix}{key}.")


def _grammar(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A value in Hydra's override grammar."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, Mapping):
        inner = ",".join(f"{k}:{_grammar(v)}" for k, v in value.items())  # keys take no quotes
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(_grammar(item) for item in value)}]"
    return json.dumps(value)


def run(root: Path, name: str, overrides: Sequence[str], targets: Sequence[str]) -> None:
    """Run an experiment in a temporary workspace; the work tree stays as it is.

    Raises:
        ConfigError: The name or the overrides are not valid, or change nothing.
        StageError: A stage of the experiment failed.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"experiment name {name!r}: letters, digits, '_', '.' and '-' only")
    changes = changed_values(root, overrides)
    if not changes:
        raise ConfigError(f"{' '.join(overrides) or 'no overrides'}: nothing differs from HEAD")
    pull_inputs(root)
    arguments = [part for change in changes for part in ("--set-param", change)]
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "exp", "run", "--temp"]
    with _set_aside(root, name):
        done = subprocess.run(
            [*command, "--name", name, *arguments, *targets],
            cwd=root,
            env=dvc_environment(),
            check=False,
        )
    if done.returncode:
        raise StageError(
            f"experiment {name} failed (its messages are above); the work tree is untouched and "
            f"finished stages are cached: run the same command again after mending it"
        )


@contextmanager
def _set_aside(root: Path, name: str) -> Generator[None]:
    """An experiment of the name steps aside, and comes back unless a new one takes its place.

    DVC's own `exp run --force` would take over the name too, and run again every stage that has
    not changed.
    """
    before = f"{name}{BEFORE}"
    _put_back(root, name, before)  # what a run that was killed has left
    if name in experiments(root):
        _exp(root, "rename", name, before)
    try:
        yield
    finally:
        _put_back(root, name, before)


def _put_back(root: Path, name: str, before: str) -> None:
    known = experiments(root)
    if before in known:
        _exp(root, *(("remove", before) if name in known else ("rename", before, name)))


def _exp(root: Path, *arguments: str) -> None:
    """A command of `dvc exp` on what is known to be there."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "exp", *arguments],
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StageError(f"dvc exp {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")


def listing(root: Path) -> list[str]:
    """A line for each experiment: its name, its revision, and the values that are its own."""
    lines: list[str] = []
    for name, revision in sorted(experiments(root).items()):
        was, now = (
            flatten(parse_yaml(git_show(root, at, "params.yaml") or "") or {})
            for at in (f"{revision}^", revision)
        )
        changed = [
            f"{key}={json.dumps(now.get(key), default=str)}"
            for key in sorted({*was, *now})
            if was.get(key) != now.get(key)
        ]
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        lines.append(f"{name:<28} {revision[:10]}  {', '.join(changed[:SHOWN])}{more}")
    return lines or ["no experiment yet; hornbook experiment run NAME OVERRIDES makes one"]


def describe(root: Path, name: str) -> Described:
    """What an experiment changed and what came of it.

    Raises:
        ConfigError: There is no such experiment.
    """
    revision = resolve_revision(root, name)
    if revision is None:
        raise ConfigError("`workspace` is not an experiment")
    entry = load_lock(root, revision).get(TABLES)
    tables = cached_text(root, entry.out_hash, "tables.md") if entry else None
    differs = as_markdown(diff(root, "HEAD", name), changed_numbers(root, "HEAD", name))
    return Described(revision, differs, tables or "not run")


def _run_command(options: argparse.Namespace) -> int:
    root = Path.cwd()
    run(root, options.name, options.overrides, options.target)
    told = describe(root, options.name)
    print(f"experiment {options.name} is {told.revision[:10]}; it differs from HEAD in")  # noqa: T201
    print(told.difference)  # noqa: T201
    print(f"compare: hornbook diff HEAD {options.name}")  # noqa: T201
    return 0


def main(arguments: Sequence[str]) -> int:
    """`hornbook experiment run|list|remove`."""
    parser = argparse.ArgumentParser(
        prog="hornbook experiment",
        description="Ablations: named sets of overrides, each in a workspace of its own that "
        "shares the cache, so unchanged stages cost nothing.",
        epilog="examples: hornbook experiment run strict-web web.filter.threshold=4; "
        "hornbook experiment run three-seeds 'seeds=[0,1,2]'",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="run NAME with OVERRIDES of conf/")
    one.add_argument("name")
    one.add_argument("overrides", nargs="+", help="Hydra overrides: web.filter.threshold=4")
    one.add_argument("--target", action="append", default=[], help="stop at this stage")
    commands.add_parser("list", help="all experiments with the values that are their own")
    gone = commands.add_parser("remove", help="forget an experiment; the cache keeps its files")
    gone.add_argument("name")
    options = parser.parse_args(list(arguments))
    if options.command == "list":
        print("\n".join(listing(Path.cwd())))  # noqa: T201
        return 0
    if options.command == "remove":
        known = experiments(Path.cwd())
        if options.name not in known:
            told = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"no experiment {options.name!r}; there are: {told}")
        _exp(Path.cwd(), "remove", options.name)
        return 0
    return _run_command(options)
