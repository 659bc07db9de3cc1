"""The command line: stages of the graph, and what people do with them."""

import atexit
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from shutil import disk_usage
from typing import NoReturn

from hornbook.errors import HornbookError
from hornbook.plain import visible
from hornbook.train.place import given_place

COMMANDS = {
    "demo": ("hornbook.demo", "the whole graph on the embedded defaults, then the table"),
    "compose": ("hornbook.compose", "conf/ and overrides -> params.yaml; --check only compares"),
    "run": ("hornbook.lineage.run", "bring stages up to date through DVC, several side by side"),
    "plan": (
        "hornbook.lineage.plan",
        "what a run would do, why, and what it takes; changes nothing",
    ),
    "status": ("hornbook.lineage.status", "which stages are out of date, and why"),
    "diff": ("hornbook.diff.command", "why two revisions, experiments or the work tree differ"),
    "explain": (
        "hornbook.lineage.explain",
        "where an artifact or a cell comes from, down to the inputs",
    ),
    "verify": (
        "hornbook.lineage.verify",
        "make recorded artifacts again in a clean copy, and compare: a receipt",
    ),
    "adopt": (
        "hornbook.lineage.adopt",
        "keep artifacts of changed stages, with a reason that stays with them",
    ),
    "experiment": (
        "hornbook.experiment.commands",
        "ablations and sweeps aside; compare them, promote one",
    ),
    "gc": ("hornbook.lineage.gc", "what of cache and leftovers can be freed, and why; --yes frees"),
    "code-deps": ("hornbook.lineage.code", "the src/ files that dvc.yaml must list; --write"),
    "track": ("hornbook.track.runs", "MLflow runs from artifacts and dvc.lock"),
    "table": ("hornbook.report.terminal", "the benchmark table of the last run"),
    "trace": ("hornbook.mixture.trace", "the documents that a training step saw, and their source"),
    "teacher": ("hornbook.teacher.server", "serve the procedural teacher: teacher serve --port N"),
    "export": ("hornbook.model.export", "a trained model for transformers, lm-eval, llama.cpp"),
    "books": ("hornbook.books.estimate", "books estimate: tokens, dollars and hours before asking"),
    "sample": ("hornbook.sample.build", "sample build: write the sample inputs again"),
}
# without dvc.yaml these would say that there is nothing, which is not so
OF_CHECKOUT = {"explain", "adopt", "experiment", "code-deps"}
# second words that ask about a stage or for what it made, instead of running it
ABOUT = {
    "train plan": ("hornbook.plan.command", "what training will need: memory, hours, disk"),
    "evaluate tasks": (
        "hornbook.evaluate.task_files",
        "the benchmarks as task files and items for lm_eval itself",
    ),
    "report --out": (
        "hornbook.report.publish",
        "the report as a site to publish, with what git and dvc.lock know",
    ),
    "train slurm": ("hornbook.train.slurm", "the batch script of a training on a cluster"),
}

LITTLE = 1 << 20  # bytes below which a disk counts as full

USAGE = """usage: hornbook COMMAND ...        python -m hornbook STAGE [INSTANCE]

Commands (hornbook COMMAND --help tells more):
{commands}

Stages (DVC runs them; by hand from the root of the checkout, e.g. python -m hornbook
train phi-1_5):
{stages}

First steps: `hornbook run` brings the whole graph up to date, `hornbook status` says what
is stale, `hornbook experiment run NAME web.filter.threshold=4` runs an ablation."""


def usage() -> str:
    """The help text."""
    from textwrap import fill

    from hornbook.stages import STAGES

    known = {**COMMANDS, **ABOUT}
    commands = "\n".join(f"  {name:<15}{what}" for name, (_, what) in known.items())
    return USAGE.format(
        commands=commands,
        stages=fill(", ".join(STAGES), 92, initial_indent="  ", subsequent_indent="  "),
    )


def dispatch(arguments: Sequence[str]) -> int:
    """Run a command or a stage.

    Raises:
        HornbookError: The user can mend it; the message says how.
    """
    from hornbook.stages import STAGES

    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage())  # noqa: T201
        return 0 if arguments else 2
    if arguments[0].startswith(("--local_rank", "--local-rank")):
        arguments = arguments[1:]  # DeepSpeed's launcher says it there and in the environment
    name, rest = arguments[0], list(arguments[1:])
    asked = " ".join(arguments[:2]).partition("=")[0]
    if asked in ABOUT:
        given = rest if asked.partition(" ")[2].startswith("-") else rest[1:]
        return int(import_module(ABOUT[asked][0]).main(given) or 0)
    if name in OF_CHECKOUT and not {"-h", "--help"} & {*rest}:
        from hornbook.lineage.manifest import require_checkout

        require_checkout(Path.cwd())
    if name in COMMANDS:
        return int(import_module(COMMANDS[name][0]).main(rest) or 0)
    if name in STAGES and rest[:1] in (["-h"], ["--help"]):
        print(usage())  # noqa: T201
        return 0
    if name in STAGES:
        from hornbook.stage import main as run_stage

        run_stage(arguments)
        return 0
    print(f"hornbook: no command or stage {name!r}\n\n{usage()}", file=sys.stderr)  # noqa: T201
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a user's error with its message, 130 interrupted."""
    try:
        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except HornbookError as error:
        return _fail(f"{type(error).__name__}: {error}", error.status)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hornbook"):
            raise
        return _fail(
            f"{sys.executable} has no package {error.name!r}: this is not hornbook's environment; "
            f"run: make env && source .venv/bin/activate",
            2,
        )
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has seen enough: `hornbook status | head`
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _fail(
            f"the disk is full ({error.filename or _full()}); free some space (`hornbook gc` says "
            f"what can go) and run the same command again: finished work is kept, unfinished "
            f"stages resume",
            2,
        )
    except KeyboardInterrupt:
        return _fail("interrupted; the same command resumes where it stopped", 130)


def _full() -> str:
    """Which of the places that are written to has no room."""
    from tempfile import gettempdir

    from hornbook.lineage.cache import cache_folder

    places = (Path.cwd(), cache_folder(Path.cwd()), Path(gettempdir()))
    found = [one for one in places if one.exists() and disk_usage(one).free < LITTLE]
    return " and ".join(map(str, dict.fromkeys(found))) or f"written from {Path.cwd()}"


def _fail(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"hornbook: {visible(message)}", file=sys.stderr, flush=True)  # noqa: T201
    return status


def _leave(status: int) -> NoReturn:
    """End the process, without Python taking itself apart where it is a rank of a training.

    Threads of torch and DeepSpeed are still alive then, and now and then one of them aborts the
    process; a launcher would count the finished rank as a failed one. What is registered to run at
    the end is run, as multiprocessing does for its processes.
    """
    if given_place():
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    _leave(main())
