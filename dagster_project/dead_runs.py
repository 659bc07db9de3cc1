"""Runs whose process is gone: Dagster would show them as running for ever, and hold their slot."""

import os
import re
import time
from contextlib import suppress

import dagster as dg
import psutil

_STARTED = re.compile(r"^Started process for run \(pid: (\d+)\)")
BUSY = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
START_SECONDS = 180.0  # in which a run that is launched has said where it runs
SECONDS = 2.0  # by which clocks of a process and of a run's record may be apart
TOLD = (
    "The process of this run has ended without a word: it was killed, or the machine was started "
    "again. What its stages had finished is recorded, and those that it was in go on where they "
    "were: launch it again."
)


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs that nobody works on any more; their ids.

    Only in an instance of this machine alone: processes of others cannot be seen from here.
    """
    if "HORNBOOK_POSTGRES_URL" in os.environ:
        return []
    ended: list[str] = []
    for record in instance.get_run_records(filters=dg.RunsFilter(statuses=BUSY)):
        run = record.dagster_run
        started = _process_of(instance, run.run_id)
        if started is not None:
            is_over = not _is_alive(*started)
        else:  # one that a command line runs in its own process never says where
            since = time.time() - record.update_timestamp.timestamp()
            is_over = run.status == dg.DagsterRunStatus.STARTING and since > START_SECONDS
        if is_over:
            instance.report_run_failed(run, TOLD)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The process that a run said it was started as last, and when it said so."""
    engine = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    found = [(_STARTED.match(_message(one)), one.timestamp) for one in engine]
    said = [(int(match[1]), at) for match, at in found if match]
    return said[-1] if said else None


def _message(entry: dg.EventLogEntry) -> str:
    return (entry.dagster_event.message if entry.dagster_event else None) or ""


def _is_alive(number: int, said_at: float) -> bool:
    """Whether a process that was there at a time still is; a later one of its number is not."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        is_same = process.create_time() <= said_at + SECONDS
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    return False
