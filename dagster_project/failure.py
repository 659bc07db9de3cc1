"""What a failed stage said, apart from what the tools around it say of it."""

import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from hornbook.lineage.manifest import Stage
from hornbook.lineage.run import restore

KEPT_LINES = 60
_TRAILER = re.compile(
    r"^ERROR: failed to reproduce |^ERROR: failed to run: |^hornbook: StageError: "
)
_STAGE = "hornbook: "  # before the message of a stage that a person can mend


def own_message(lines: Sequence[str]) -> str:
    """The message of the stage itself: what it said last, or the exception that ended it.

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


def failure(root: Path, stage: Stage, lines: Sequence[str], otherwise: str) -> dg.Failure:
    """What the UI shows of a failed step: the stage's message, then what to do."""
    is_back = restore(root, stage.out)
    artifact = (
        f"{stage.out} is the last good one again."
        if is_back
        else f"{stage.out} was never made here, so there is nothing to put back."
    )
    return dg.Failure(
        f"{own_message(lines) if lines else otherwise}\n\n{stage.name} failed. {artifact} "
        f"Launch it again after mending that: finished work is kept.",
        metadata={
            "stage": stage.name,
            "command": stage.cmd,
            "last lines": dg.MetadataValue.md("```text\n" + "\n".join(lines[-40:]) + "\n```"),
        },
        allow_retries=False,
    )
