"""The Batch API as transport: many requests in a file, half the price, an answer within a day.

A batch is entered in the ledger before it is created and carries its name as metadata, so a run
that was killed in between finds it at the endpoint and neither loses nor pays it twice.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hornbook.errors import TeacherError
from hornbook.progress import Progress
from hornbook.stage import Run
from hornbook.teacher.budget import NOTHING, Budget, Spent
from hornbook.teacher.calls import ANSWERED, UNKNOWN_OUTCOME, Caller, ClientSender, answer_of, paid
from hornbook.teacher.endpoints import Line, Switchboard
from hornbook.teacher.faults import Fault, of_error, of_reply, of_status
from hornbook.teacher.store import AnswerStore, Batch, Outcome

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")
ATTEMPTS = 8  # at the endpoint's door, and for a request in batches
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
IN_FLIGHT = 16  # batches at an endpoint at a time
OVER = {"completed", "failed", "expired", "cancelled"}
NAME = "hornbook"  # the metadata key of a batch


@dataclass(frozen=True)
class Pending:
    """A batch that the endpoint works on."""

    line: Line
    batch: Batch
    held: tuple[Spent, ...]  # in the order of its calls


async def collect_left_behind(
    run: Run, store: AnswerStore, board: Switchboard, budget: Budget
) -> None:
    """Fetch what an earlier run had sent to these endpoints and did not live to see."""
    lines = {line.url: line for line in board.lines}
    left = [batch for batch in store.open_batches() if batch.endpoint in lines]
    with run.progress(len(left), "batches", "collecting what an earlier run sent") as progress:
        for batch in left:
            await _collect(run, store, budget, _client(lines[batch.endpoint]), batch, progress)
            progress.advance()


async def _collect(
    run: Run,
    store: AnswerStore,
    budget: Budget,
    client: "AsyncOpenAI",
    batch: Batch,
    progress: Progress,
) -> None:
    """Wait for one batch and enter its outcomes."""
    found = batch.id or await _find(client, batch.name)
    if found is None:  # it was entered and never created
        store.close_batch(batch.name, unsent(batch))
        return
    store.name_batch(batch.name, found)
    while (done := await _outcomes(client, batch._replace(id=found), store, budget)) is None:
        await asyncio.sleep(run.runtime.poll_seconds)
        progress.advance(0)
    store.close_batch(batch.name, done)


def unsent(batch: Batch) -> list[Outcome]:
    """The calls of a batch that nobody worked on."""
    return [Outcome(number, "unsent", NOTHING, None) for number in batch.calls]


class Batches:
    """All batches of one stage."""

    def __init__(
        self,
        run: Run,
        caller: Caller,
        board: Switchboard,
        todo: Iterator[tuple[str, dict[str, Any]]],
    ) -> None:
        self.run, self.caller, self.board, self.todo = run, caller, board, todo
        self.store, self.budget = caller.store, caller.budget
        self.factor = self.budget.price.batch
        self.again: deque[tuple[str, dict[str, Any]]] = deque()
        self.tries: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, Any]] = {}  # of the requests in flight
        self.pending: list[Pending] = []

    async def ask(self, progress: Progress, faults: Counter[str], failed: dict[str, str]) -> None:
        """Send and poll until nothing is left; `faults` and `failed` are counted as they come.

        Raises:
            BudgetError: A cap leaves no room for the next request; batches sent were waited for.
            TeacherError: The endpoint refuses.
        """
        while True:
            left_over = await self._fill()
            if not self.pending:
                if left_over:
                    raise self.budget.exhausted(self._most(left_over[1]))
                return
            await asyncio.sleep(self.run.runtime.poll_seconds)
            progress.advance(0)  # a batch may take hours: say that it is waited for
            for pending in list(self.pending):
                client = _client(pending.line)
                done = await _outcomes(client, pending.batch, self.store, self.budget)
                if done is not None:
                    self._close(pending, done, progress, faults, failed)

    async def _fill(self) -> tuple[str, dict[str, Any]] | None:
        """Send what caps and places allow; the request that found no room, if any."""
        while len(self.pending) < IN_FLIGHT:
            chunk, left_over = self._chunk()
            if chunk:
                self.pending.append(await self._send(chunk))
            if left_over or not chunk:
                if left_over:
                    self.again.appendleft(left_over)
                return left_over
        return None

    def _chunk(self) -> tuple[list[tuple[str, dict[str, Any]]], tuple[str, dict[str, Any]] | None]:
        chunk: list[tuple[str, dict[str, Any]]] = []
        while len(chunk) < self.run.runtime.batch_requests:
            one = self.again.popleft() if self.again else next(self.todo, None)
            if one is None:
                break
            if one[0] in self.bodies or self.store.known([one[0]]):  # its twin is under way or done
                continue
            if not self.budget.has_room(self._most(one[1])):
                return chunk, one
            self.budget.hold(self._most(one[1]))
            self.bodies[one[0]] = one[1]
            chunk.append(one)
        return chunk, None

    def _most(self, body: dict[str, Any]) -> Spent:
        return self.budget.most(body, self.factor)

    async def _send(self, chunk: list[tuple[str, dict[str, Any]]]) -> Pending:
        line = min(self.board.lines, key=lambda line: (line.assigned + 1) / line.weight)
        line.assigned += len(chunk)
        client, held = _client(line), tuple(self._most(body) for _, body in chunk)
        batch = self.store.open_batch(
            line.url, [(digest, most) for (digest, _), most in zip(chunk, held, strict=True)]
        )
        model = _sender(line).model
        lines = (
            _line(digest, body | ({"model": model} if model else {})) for digest, body in chunk
        )
        content = "".join(lines).encode()
        file = await _tried(
            client, lambda: client.files.create(file=("batch.jsonl", content), purpose="batch")
        )

        async def create() -> str:
            # an earlier try may have got through although its reply did not
            found = await _find(client, batch.name)
            if found is not None:
                return found
            made = await client.batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={NAME: batch.name},
            )
            return made.id

        batch = batch._replace(id=await _tried(client, create))
        self.store.name_batch(batch.name, str(batch.id))
        return Pending(line, batch, held)

    def _close(
        self,
        pending: Pending,
        done: list[Outcome],
        progress: Progress,
        faults: Counter[str],
        failed: dict[str, str],
    ) -> None:
        self.store.close_batch(pending.batch.name, done)
        self.pending.remove(pending)
        digests = self.store.hashes_of(pending.batch)
        for digest, held, outcome in zip(digests, pending.held, done, strict=True):
            self.budget.settle(held, held if outcome.actual is None else outcome.actual)
            body = self.bodies.pop(digest)
            if outcome.status == ANSWERED:
                progress.advance()
                continue
            faults[outcome.status] += 1
            self.tries[digest] += 1
            if outcome.is_final or self.tries[digest] >= ATTEMPTS:
                failed[digest] = outcome.status
            else:
                self.again.append((digest, body))


async def ask_in_batches(
    run: Run,
    caller: Caller,
    board: Switchboard,
    todo: Iterator[tuple[str, dict[str, Any]]],
    total: int,
    faults: Counter[str],
    failed: dict[str, str],
) -> None:
    """As `Crew.ask`, over the Batch API.

    Raises:
        BudgetError: A cap leaves no room.
        TeacherError: The endpoint refuses, or has no Batch API.
    """
    with run.progress(total, "answers", "asking in batches") as progress:
        await Batches(run, caller, board, todo).ask(progress, faults, failed)


async def _tried(client: "AsyncOpenAI", act: Callable[[], Awaitable[T]]) -> T:
    """What a call to the endpoint gives, after retries.

    Raises:
        TeacherError: The endpoint refuses, or does not answer after all attempts.
    """
    import openai

    for attempt in range(ATTEMPTS):
        try:
            return await act()
        except openai.APIError as error:
            fault: Fault = of_error(error)
            if fault.remedy != "retry" or attempt == ATTEMPTS - 1:
                said = (fault.message or str(error)).replace(client.api_key, "***")
                raise TeacherError(
                    f"the Batch API failed ({fault.kind}): {said}; batches sent "
                    f"are kept and collected by the next run; an endpoint without a Batch API "
                    f"needs HORNBOOK_TRANSPORT=chat"
                ) from None  # the error itself may repeat the key
            pause = min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            await asyncio.sleep(max(fault.wait_seconds, pause))
    raise AssertionError("the last attempt returns or raises")


def _line(digest: str, body: dict[str, Any]) -> str:
    request = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps({"custom_id": digest} | request) + "\n"


def _sender(line: Line) -> ClientSender:
    assert isinstance(line.send, ClientSender), "Ray and batches exclude each other"
    return line.send


def _client(line: Line) -> "AsyncOpenAI":
    return _sender(line).client


async def _find(client: "AsyncOpenAI", name: str) -> str | None:
    """The batch of that name at the endpoint."""

    async def look() -> str | None:
        async for batch in client.batches.list(limit=100):
            if (batch.metadata or {}).get(NAME) == name:
                return batch.id
        return None

    return await _tried(client, look)


async def _outcomes(
    client: "AsyncOpenAI", batch: Batch, store: AnswerStore, budget: Budget
) -> list[Outcome] | None:
    """What became of each call of a batch, in their order; None while it is under way."""
    assert batch.id is not None, "a batch is polled after it has an id"
    found = await _tried(client, lambda: client.batches.retrieve(str(batch.id)))
    if found.status not in OVER:
        return None
    replies: dict[str, dict[str, Any]] = {}
    for file in (found.output_file_id, found.error_file_id):
        if file:
            content = await _tried(client, lambda file=file: client.files.content(file))
            rows = (json.loads(line) for line in content.text.splitlines() if line.strip())
            replies |= {row["custom_id"]: row for row in rows}
    said = "; ".join(error.message or "" for error in getattr(found.errors, "data", None) or ())
    if found.status == "failed" and not replies:
        store.close_batch(batch.name, unsent(batch))
        raise TeacherError(
            f"the endpoint refused batch {batch.id}: {said or 'no reason given'}; check "
            f"teacher.model and runtime.batch_requests, or set HORNBOOK_TRANSPORT=chat"
        )
    digests = store.hashes_of(batch)
    return [
        _outcome(number, replies.get(digest), found.status, budget)
        for number, digest in zip(batch.calls, digests, strict=True)
    ]


def _outcome(number: int, row: dict[str, Any] | None, status: str, budget: Budget) -> Outcome:
    """One call: answered, refused for good, or to be asked again."""
    from openai.types.chat import ChatCompletion

    response = (row or {}).get("response")
    if not response:  # cut off by the end of the window, or never begun: not billed
        return Outcome(number, "expired" if status == "completed" else status, NOTHING, None)
    if response["status_code"] != 200:
        fault = of_status(response["status_code"], str(response.get("body"))[:300])
        return Outcome(number, fault.kind, NOTHING, None, fault.remedy != "retry")
    reply = ChatCompletion.construct(None, **(response["body"] or {}))
    fault = of_reply(reply)
    if fault:
        actual = None if fault.kind in UNKNOWN_OUTCOME else NOTHING
        return Outcome(number, fault.kind, actual, None, fault.remedy != "retry")
    answer = answer_of(reply)
    return Outcome(number, ANSWERED, paid(budget, answer, budget.price.batch), answer)
