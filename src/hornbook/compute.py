"""Stages as a map over shards: in this process, in a pool of processes, or on a Ray cluster.

`runtime.compute` and `runtime.workers` say where. The results come in the order of the shards and
each shard is worked on alone, so that none of this can change a byte.
"""

import hashlib
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from hornbook.artifacts import read_json, write_json
from hornbook.errors import StageError
from hornbook.progress import Progress
from hornbook.stage import Run

ATTEMPTS = 3  # that a shard may lose its worker
LOOK_SECONDS = 0.5  # between two reports of a worker
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
FACTS = "facts.json"
PART = ".part"
TAKEN = "taken.json"  # the shards of a sample, in the folder of their step


class Shard(NamedTuple):
    """A part of a stage's input; names are distinct and say nothing but which part it is."""

    name: str
    what: Any  # whatever the work needs to find its input; it has to be picklable
    num_bytes: int


class Used(NamedTuple):
    """What a shard took of the process that worked on it."""

    name: str
    cpu_seconds: float
    peak_rss_mib: int


class Done(NamedTuple):
    """What the work left of a shard: its files, and the facts that it returned."""

    folder: Path
    facts: dict[str, Any]


@dataclass
class Place:
    """Where the work puts its files, and where it says how many bytes of the shard it has done."""

    folder: Path
    report: Path
    done: int = 0
    told: float = 0.0

    def advance(self, num_bytes: int) -> None:
        """So many more bytes are done."""
        self.done += num_bytes
        if time.monotonic() - self.told >= LOOK_SECONDS:
            self.told = time.monotonic()
            self.report.write_text(str(self.done), "utf-8")


Work = Callable[[Any, Place], dict[str, Any]]


def map_shards(run: Run, step: str, work: Work, shards: Sequence[Shard]) -> list[Done]:
    """What `work` makes of each shard, in their order; finished ones are found again after a crash.

    `work(what, place)` writes files to `place.folder` and returns facts that JSON can hold. It is
    a function of a module, or a `functools.partial` of one. `step` names the step on the screen
    and among the stage's pending files. Where a sample of this step's shards is all that is wanted
    (`hornbook verify --sample`), the process ends with them.

    Raises:
        StageError: A shard lost its worker again and again.
        HornbookError: The work's own error; shards that are finished stay finished.
    """
    drawn = _drawn(run, step, shards)
    pending = (run.pending / step.replace(" ", "_")).absolute()
    pending.mkdir(parents=True, exist_ok=True)
    assert len({shard.name for shard in shards}) == len(shards), "two shards of one name"
    todo = [shard for shard in drawn or shards if not (pending / shard.name / FACTS).exists()]
    total = sum(shard.num_bytes for shard in drawn or shards)
    with run.progress(total, "bytes", step) as bar:
        bar.advance(total - sum(shard.num_bytes for shard in todo))
        if todo:
            _spread(run, work, pending, todo, bar)
    for left in (*pending.glob(f"*{PART}"), *pending.glob("*.bytes")):  # of workers that died
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    if drawn:
        write_json(pending / TAKEN, {"taken": [one.name for one in drawn], "of": len(shards)})
        raise SystemExit
    return [_found(pending / shard.name) for shard in shards]


def _drawn(run: Run, step: str, shards: Sequence[Shard]) -> list[Shard]:
    """The shards of a sample, drawn by its seed and in their order; empty where all are wanted."""
    asked = run.sample()
    if asked is None or not step.startswith(asked["step"]) or len(shards) <= asked["shards"]:
        return []

    def draw(shard: Shard) -> str:
        return hashlib.sha256(f"{asked['seed']} {shard.name}".encode()).hexdigest()

    names = {shard.name for shard in sorted(shards, key=draw)[: asked["shards"]]}
    return [shard for shard in shards if shard.name in names]


def _found(folder: Path) -> Done:
    return Done(folder, read_json(folder / FACTS))


def _spread(run: Run, work: Work, pending: Path, todo: list[Shard], bar: Progress) -> None:
    """Choose where; `bar` follows what the workers report."""
    is_elsewhere = True
    if run.runtime.compute == "ray":
        from hornbook.cluster import on_ray

        finished = on_ray(run.runtime, worked, [(work, shard, pending) for shard in todo])
    elif run.runtime.workers == 1 or len(todo) == 1:
        finished, is_elsewhere = _here(work, pending, todo), False
    else:
        finished = _in_pool(run.runtime.workers, work, pending, todo)
    before, seen = bar.done, 0
    open_shards = {shard.name: shard for shard in todo}
    for used in finished:  # None: nothing ended, but time has passed
        if is_elsewhere:
            run.open_gate()  # this process has nothing to do but wait
        if used is not None:
            seen += open_shards.pop(used.name).num_bytes
            if is_elsewhere:
                run.account(used.cpu_seconds, used.peak_rss_mib)
        told = sum(min(_told(pending, one), one.num_bytes) for one in open_shards.values())
        bar.advance(max(0, before + seen + told - bar.done))


def _told(pending: Path, shard: Shard) -> int:
    try:
        return int(_report(pending, shard).read_text("utf-8") or 0)
    except FileNotFoundError:
        return 0


def _report(pending: Path, shard: Shard) -> Path:
    return pending / f"{shard.name}.bytes"


def worked(work: Work, shard: Shard, pending: Path) -> Used:
    """Work on one shard in this process; its folder is complete or not there at all."""
    began = time.process_time()
    part = pending / f"{shard.name}.{uuid4().hex}{PART}"  # a lost machine's worker may still write
    part.mkdir(parents=True)
    report = _report(pending, shard)
    facts = work(shard.what, Place(part, report))
    write_json(part / FACTS, facts)
    shutil.rmtree(pending / shard.name, ignore_errors=True)
    part.rename(pending / shard.name)
    report.unlink(missing_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Used(shard.name, time.process_time() - began, peak)


def _here(work: Work, pending: Path, todo: list[Shard]) -> Generator[Used | None]:
    for shard in todo:
        yield worked(work, shard, pending)


def _in_pool(workers: int, work: Work, pending: Path, todo: list[Shard]) -> Generator[Used | None]:
    """A pool of processes; when one dies the pool is made again for what was not finished."""
    left = {shard.name: shard for shard in todo}
    lost: dict[str, int] = {}
    while left:
        in_flight: list[str] = []
        try:
            for used in _one_pool(workers, work, pending, list(left.values()), in_flight):
                if used is not None:
                    del left[used.name]
                yield used
        except BrokenProcessPool as error:
            for name in in_flight:
                lost[name] = lost.get(name, 0) + 1
            again = sorted(name for name, times in lost.items() if times >= ATTEMPTS)
            if again:
                raise StageError(lost_workers(again)) from error


def lost_workers(names: Sequence[str]) -> str:
    """What to say of shards whose workers die."""
    return (
        f"a worker process died {ATTEMPTS} times while it was at shard {' or '.join(names)}: "
        f"probably memory ran out. HORNBOOK_WORKERS=1 needs the least; what is finished is kept"
    )


def _one_pool(
    workers: int, work: Work, pending: Path, todo: list[Shard], in_flight: list[str]
) -> Generator[Used | None]:
    """Names as they finish; `in_flight` holds those that a broken pool may have died of."""
    context = _fork_server()
    waiting = list(reversed(todo))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_alone) as pool:
        futures: dict[Future[Used], str] = {}
        try:
            while waiting or futures:
                while waiting and len(futures) < 2 * workers:
                    shard = waiting.pop()
                    in_flight.append(shard.name)
                    futures[pool.submit(worked, work, shard, pending)] = shard.name
                ended, _ = wait(futures, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in ended:
                    used = future.result()
                    in_flight.remove(futures.pop(future))
                    yield used
                if not ended:
                    yield None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fork_server() -> ForkServerContext:
    """A server whose children have what nearly every shard needs, so that it is loaded once.

    Not fork: threads of pyarrow and numpy may hold locks in this process.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["pyarrow.parquet", "pandas"])
    # the server must have no thread either: it forks
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    try:
        ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return context


def _alone() -> None:
    """Start of a worker: one thread each, because there is a worker for each core.

    A worker whose parent was killed ends itself; it would wait for work for ever.
    """
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()  # not getppid: the fork server lives as long as a worker does
    if parent is not None:
        parent.join()
        os._exit(1)
