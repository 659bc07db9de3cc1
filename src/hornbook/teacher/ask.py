"""Asking the teacher any number of questions: stored answers first, retries, caps, a ledger."""

import asyncio
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

from hornbook.errors import HornbookError
from hornbook.progress import Progress
from hornbook.stage import Run
from hornbook.teacher.batch import ask_in_batches, collect_left_behind
from hornbook.teacher.budget import NOTHING, Budget, cost_usd, price_of
from hornbook.teacher.calls import Caller
from hornbook.teacher.client import open_switchboard
from hornbook.teacher.config import Price, Teacher
from hornbook.teacher.endpoints import Line, Switchboard
from hornbook.teacher.faults import Fault
from hornbook.teacher.requests import Answer, Request, request_body, request_hash
from hornbook.teacher.store import AnswerStore

# none of these can change an answer, only how long one waits for it
ATTEMPTS = 8
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
SKIPPED_AT_FIRST = 3  # refused requests before any answer: the settings are wrong, not the requests
ROWS_AT_ONCE = 500

Requests = Callable[[], Iterable[Request]]  # called more than once: so many are never held at once


class Crew:
    """Workers that share the fate of their endpoints."""

    def __init__(self, run: Run, teacher: Teacher, caller: Caller, board: Switchboard) -> None:
        self.run, self.teacher, self.caller, self.board = run, teacher, caller, board
        self.budget = caller.budget
        self.faults: Counter[str] = Counter()  # calls without an answer, by kind
        self.failed: dict[str, str] = {}  # requests without an answer
        self.answered = 0
        self.error: HornbookError | OSError | None = None
        self._stop = asyncio.Event()
        self._in_flight: set[str] = set()
        self._jitter = random.Random(0)  # noqa: S311 - spreads retries, touches no result

    async def ask(self, todo: Iterator[tuple[str, dict[str, Any]]], total: int) -> None:
        """Ask all of `todo` (request hash, body), keep each answer as it comes.

        Raises:
            TeacherError: Asking more is useless; calls in flight were waited for and kept.
            BudgetError: A cap is reached, likewise.
            ArtifactError: The store of answers cannot be written.
        """
        with self.run.progress(total, "answers", f"asking {self.teacher.model}") as progress:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.board.concurrency, total)):
                    group.create_task(self._work(todo, progress))
        if self.error:
            raise self.error

    async def _work(self, todo: Iterator[tuple[str, dict[str, Any]]], progress: Progress) -> None:
        """Take questions until there is none; after an error the other workers end their call."""
        for digest, body in todo:
            # the same question twice is asked once: a twin is in flight, or answered by now
            if digest in self._in_flight or self.caller.store.known([digest]):
                continue
            self._in_flight.add(digest)
            try:
                await self._one(digest, body)
            except (HornbookError, OSError) as error:  # OSError: no space for the answers
                self.error = self.error or error
                self._stop.set()
                self.board.wake()
            self._in_flight.discard(digest)
            if self._stop.is_set():
                return
            progress.note(self._remark())
            progress.advance()

    async def _one(self, digest: str, body: dict[str, Any]) -> None:
        """Call until there is an answer or a reason to stop."""
        calls = counted = 0
        while (fault := await self._call(digest, body)) is not None:
            calls += 1
            # an endpoint that is away is waited for by all: it uses up nobody's attempts
            counted += fault.kind != "unreachable"
            if fault.remedy == "skip" or counted >= ATTEMPTS:
                self.failed[digest] = fault.kind
                return
            pause = min(FIRST_WAIT_SECONDS * 2 ** min(calls - 1, 10), LONGEST_WAIT_SECONDS)
            await self._sleep(pause * self._jitter.uniform(0.5, 1.0))

    async def _call(self, digest: str, body: dict[str, Any]) -> Fault | None:
        """One call on the endpoint whose turn it is; None also when all is to stop."""
        most = self.budget.most(body)
        await self.budget.reserve(most)
        line = await self.board.take(most.tokens, self._stop)
        if line is None:
            self.budget.settle(most, NOTHING)
            return None
        unused = most.tokens
        try:
            reply = await self.caller.call(line.send, line.url, digest, body)
            if reply.answer:
                unused -= reply.answer["prompt_tokens"] + reply.answer["completion_tokens"]
        finally:
            self.board.release(line, unused)
        self._learn(line, reply.fault)
        return reply.fault

    def _learn(self, line: Line, fault: Fault | None) -> None:
        """Count an outcome; raise where it says that no request can work."""
        if fault is None:
            self.answered += 1
            line.works()
            return
        self.faults[fault.kind] += 1
        is_first = fault.remedy == "skip" and not self.answered
        if fault.remedy == "stop" or (is_first and self.faults[fault.kind] >= SKIPPED_AT_FIRST):
            line.refused = (
                f"the teacher at {line.url} refused the request ({fault.kind}): {fault.message}; "
                f"check teacher.model={self.teacher.model!r}, the key in "
                f"{line.key_env} and the account; answers so far are kept"
            )
            self.run.log(line.refused)
        elif fault.remedy == "skip":
            line.works()
        else:
            if fault.kind == "unreachable" and line.away_since is None:
                self.run.log(f"{line.url} cannot be reached ({fault.message}); trying again")
            line.fails(fault)
        self.board.require_any(fault.message)

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than there is something to wait for."""
        if not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), seconds)
            except TimeoutError:
                return

    def _remark(self) -> str:
        return remark(self.budget, self.faults)


def remark(budget: Budget, faults: Counter[str]) -> str:
    """What a progress line says beside the count."""
    parts = [f"{budget.spent_usd:.4f} USD"] if budget.spent_usd else []
    if faults:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items()))
        parts.append(f"failed calls: {kinds}")
    return "  ".join(parts)


def ask_all(run: Run, teacher: Teacher, requests: Requests) -> Iterator[Answer]:
    """An answer or a failure for each request, in their order; stored answers are not asked again.

    `requests` is called anew for each pass over the requests and has to give the same ones.

    Raises:
        TeacherError: The teacher cannot be reached or refuses.
        BudgetError: A cap is reached, or the model has no price.
    """
    price = price_of(teacher)
    with closing(AnswerStore(run.store("teacher"))) as store:
        if store.open_batches():
            asyncio.run(_collect(run, teacher, store))
        asked, missing, budget = _survey(run, teacher, requests, store)
        faults: Counter[str] = Counter()
        failed: dict[str, str] = {}
        try:
            if missing:
                todo = _todo(teacher, requests, store)
                asyncio.run(
                    _ask(run, teacher, Caller(store, budget), todo, missing, faults, failed)
                )
        finally:
            run.measure(asked=missing, stored=len(asked) // 16 - missing,
                        spent_usd=round(budget.spent_usd, 6), spent_tokens=budget.spent_tokens,
                        failures=dict(sorted(faults.items())))  # fmt: skip
        for start in range(0, len(asked), 16 * ROWS_AT_ONCE):
            part = asked[start : start + 16 * ROWS_AT_ONCE].tobytes()
            hashes = [part[n : n + 16].hex() for n in range(0, len(part), 16)]
            found = store.get(hashes)
            for digest in hashes:
                if digest in found:
                    yield _answer(digest, found[digest], price)
                else:
                    yield Answer(digest, "", "", 0, 0, 0.0, failed[digest])


def _survey(
    run: Run, teacher: Teacher, requests: Requests, store: AnswerStore
) -> "tuple[array[int], int, Budget]":
    """The hashes of all requests (16 bytes each), how many have no answer, what is spent."""
    import numpy as np

    hashes: array[int] = array("B")
    for part in _hashed(teacher, requests):
        hashes.frombytes(b"".join(bytes.fromhex(digest) for digest, _ in part))
    # a request that comes twice is asked and counted once; numpy cuts zeros off at the end
    distinct = [one.ljust(16, b"\0").hex() for one in np.unique(np.frombuffer(hashes, "S16"))]
    budget = Budget(
        price_of(teacher),
        run.runtime.max_cost_usd,
        run.runtime.max_total_tokens,
        spent=store.spent(distinct),
    )
    return hashes, len(distinct) - len(store.known(distinct)), budget


def _hashed(teacher: Teacher, requests: Requests) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Hash and body of the requests, some at a time."""
    bodies = (request_body(teacher, request) for request in requests())
    while part := [(request_hash(body), body) for body in islice(bodies, ROWS_AT_ONCE)]:
        yield part


def _todo(
    teacher: Teacher, requests: Requests, store: AnswerStore
) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in _hashed(teacher, requests):
        known = store.known([digest for digest, _ in part])
        yield from (one for one in part if one[0] not in known)


async def _ask(
    run: Run,
    teacher: Teacher,
    caller: Caller,
    todo: Iterator[tuple[str, dict[str, Any]]],
    missing: int,
    faults: Counter[str],
    failed: dict[str, str],
) -> None:
    """Ask over the configured transport; `faults` and `failed` are filled also on an error."""
    board = open_switchboard(teacher, run.runtime)
    try:
        if run.runtime.transport == "batch":
            await ask_in_batches(run, caller, board, todo, missing, faults, failed)
        else:
            crew = Crew(run, teacher, caller, board)
            crew.faults, crew.failed = faults, failed
            await crew.ask(todo, missing)
    finally:
        await board.close()


async def _collect(run: Run, teacher: Teacher, store: AnswerStore) -> None:
    """Before anything is asked again, whatever the transport is now."""
    board = open_switchboard(teacher, replace(run.runtime, compute="local"))
    try:
        await collect_left_behind(run, store, board, Budget(price_of(teacher), None, None))
    finally:
        await board.close()


def _answer(digest: str, stored: dict[str, Any], price: Price) -> Answer:
    # at the price in conf, so that the artifact does not depend on when an answer was bought
    tokens = stored["prompt_tokens"], stored["completion_tokens"]
    cost = cost_usd(price, *tokens)
    return Answer(digest, stored["text"], stored["finish_reason"], *tokens, cost, None)
