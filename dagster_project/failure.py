"""What a failed stage said, before what the tools around it say of it."""

import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from hornbook.lineage.manifest import Stage
from hornbook.lineage.repro import restore

REMEDY = "\nits last good artifact is in the cache"  # of the command line; here it is put back
_TRAILER = re.compile(
    r"^ERROR: failed to reproduce |^ERROR: failed to run: |^hornbook: StageError: "
)
_STAGE = "hornbook: "  # before the message of a stage that a person can mend


def own_message(lines: Sequence[str]) -> str:
    """The message of the stage that ended an experiment: what it said last, or its exception.

    `lines` are those of its output, oldest first.
    """
    told = [line for line in lines if not _TRAILER.match(line)]
    for number in reversed(range(len(told))):
        if told[number].startswith(_STAGE):
            return "\n".join([told[number].removeprefix(_STAGE), *told[number + 1 :]]).strip()
    for number in reversed(range(len(told))):
        if told[number].startswith("Traceback (most recent call last)"):
            trace = [line for line in told[number:] if line.strip()]
            return "\n".join([trace[-1], *trace])
    return "\n".join(told[-12:]).strip() or "it ended without a word"


def failure(root: Path, stage: Stage, message: str) -> dg.Failure:
    """What the UI shows of a failed step: the stage's message, then what to do."""
    told = message.partition(REMEDY)[0]
    artifact = (
        f"{stage.out} is the last good one again."
        if restore(root, stage.out)
        else f"{stage.out} was never made here, so there is nothing to put back."
    )
    return dg.Failure(
        f"{told}\n\n{artifact} Launch it again after mending that: finished work is kept.",
        metadata={"stage": stage.name, "command": stage.cmd},
        allow_retries=False,
    )
