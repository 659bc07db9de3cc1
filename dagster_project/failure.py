"""What a failed stage said, before what the tools around it say of it."""

import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from hornbook.lineage.manifest import Stage
from hornbook.lineage.repro import restore

REMEDY = "\nits last good artifact is in the cache"  # of the command line; here it is put back
_OWN = "hornbook: "  # before the message that a command ends with
_ABOVE = re.compile(r"StageError: .* failed[^\n]*:\n")


def own_message(lines: Sequence[str]) -> str:
    """What ended a command, the words of the stage first: its message, or its exception.

    `lines` are those of its output, oldest first.
    """
    for number in reversed(range(len(lines))):
        if lines[number].startswith(_OWN):
            told = "\n".join([lines[number].removeprefix(_OWN), *lines[number + 1 :]]).strip()
            return _ABOVE.sub("", told, count=1)
    for number in reversed(range(len(lines))):
        if lines[number].startswith("Traceback (most recent call last)"):
            trace = [line for line in lines[number:] if line.strip()]
            return "\n".join([trace[-1], *trace])
    return "\n".join(lines[-12:]).strip() or "it ended without a word"


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
