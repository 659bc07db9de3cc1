"""Asking the teacher many questions: stored answers first, retries, a cost cap, a ledger."""

import asyncio
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hornbook.errors import HornbookError, TeacherError
from hornbook.progress import Progress
from hornbook.stage import Run
from hornbook.teacher.budget import Budget, cost_usd, price_of
from hornbook.teacher.client import open_client
from hornbook.teacher.config import Teacher
from hornbook.teacher.faults import Fault, of_error, of_reply
from hornbook.teacher.procedural import MODEL, revision
from hornbook.teacher.store import AnswerStore

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# none of these can change an answer, only how long one waits for it
ATTEMPTS = 8
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
PATIENCE_SECONDS = {False: 5.0, True: 60.0}  # with a server that is away: never seen, seen before
SKIPPED_AT_FIRST = 3  # refused requests before any answer: the settings are wrong, not the requests
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """A question; `key` is the caller's own name for it."""

    key: str
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Answer:
    """What came back; `failure` is the kind of the last fault, None for an answer."""

    key: str
    request_hash: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float  # tokens at the configured price; what was paid is in the ledger
    failure: str | None


def request_body(teacher: Teacher, request: Request) -> dict[str, Any]:
    """The body as it is sent; its hash is the answer's identity."""
    return {
        "model": teacher.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "temperature": teacher.temperature,
        "top_p": teacher.top_p,
        "max_tokens": teacher.max_tokens,
        "seed": teacher.seed,
    }


def request_hash(body: dict[str, Any]) -> str:
    """The identity of a request; the embedded teacher's own code is part of it."""
    salt = revision() if body["model"] == MODEL else ""
    return hashlib.sha256((json.dumps(body, sort_keys=True) + salt).encode()).hexdigest()[:32]


class Asker:
    """One batch of questions: `runtime.concurrency` workers that share an endpoint's fate."""

    def __init__(self, run: Run, teacher: Teacher, store: AnswerStore, budget: Budget) -> None:
        self.run, self.teacher, self.store, self.budget = run, teacher, store, budget
        self.faults: Counter[str] = Counter()  # calls without an answer, by kind
        self.failed: dict[str, str] = {}  # requests without an answer
        self.answered = 0
        self.error: HornbookError | OSError | None = None
        self._stop = asyncio.Event()
        self._away_since: float | None = None
        self._is_seen = False
        self._resume_at = 0.0
        self._jitter = random.Random(0)  # noqa: S311 - spreads retries, touches no result

    async def ask(self, todo: Iterator[tuple[str, dict[str, Any]]], total: int) -> None:
        """Ask all of `todo` (request hash, body), keep each answer as it comes.

        Raises:
            TeacherError: Asking more is useless; calls in flight were waited for and kept.
            BudgetError: The cap is reached, likewise.
            ArtifactError: The store of answers cannot be written.
        """
        client = open_client(self.teacher, self.run.runtime)
        with self.run.progress(total, "answers", f"asking {self.teacher.model}") as progress:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.run.runtime.concurrency, total)):
                        group.create_task(self._work(client, todo, progress))
            finally:
                await client.close()
        if self.error:
            raise self.error

    async def _work(
        self,
        client: "AsyncOpenAI",
        todo: Iterator[tuple[str, dict[str, Any]]],
        progress: Progress,
    ) -> None:
        """Take questions until there is none; after an error the other workers end their call."""
        for digest, body in todo:
            try:
                await self._one(client, digest, body)
            except (HornbookError, OSError) as error:  # OSError: no space for the answers
                self.error = self.error or error
                self._stop.set()
            if self._stop.is_set():
                return
            progress.note(self._remark())
            progress.advance()

    async def _one(self, client: "AsyncOpenAI", digest: str, body: dict[str, Any]) -> None:
        """Call until there is an answer or a reason to stop."""
        calls = counted = 0
        while True:
            await self._sleep(self._resume_at - time.monotonic())
            if self._stop.is_set():
                return
            fault = await self._call(client, digest, body, calls)
            if fault is None:
                return
            self._judge(client, fault)
            calls += 1
            # a server that is away is waited for by all: it uses up nobody's attempts
            counted += fault.kind != "unreachable"
            if fault.remedy == "skip" or counted >= ATTEMPTS:
                self.failed[digest] = fault.kind
                return
            self._resume_at = max(self._resume_at, time.monotonic() + fault.wait_seconds)
            pause = min(FIRST_WAIT_SECONDS * 2 ** min(calls - 1, 10), LONGEST_WAIT_SECONDS)
            await self._sleep(pause * self._jitter.uniform(0.5, 1.0))

    async def _call(
        self, client: "AsyncOpenAI", digest: str, body: dict[str, Any], calls: int
    ) -> Fault | None:
        """One call within the budget, in the ledger whatever comes of it."""
        reserved, started = await self.budget.reserve(body), time.monotonic()
        answer, fault = await self._send(client, body)
        self.budget.settle(reserved, answer["cost_usd"] if answer else 0.0)
        status = fault.kind if fault else "answered"
        self.store.record(digest, calls, status, answer, time.monotonic() - started)
        if fault:
            self.faults[fault.kind] += 1
        else:
            self.answered += 1
        if status != "unreachable":
            self._is_seen, self._away_since = True, None
        return fault

    async def _send(
        self, client: "AsyncOpenAI", body: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, Fault | None]:
        """An answer or a fault."""
        import openai

        try:
            reply = await client.chat.completions.create(**body)
        except (openai.APIError, ValueError) as error:  # ValueError: a body that is not JSON
            return None, of_error(error)
        fault = of_reply(reply)
        if fault:
            return None, fault
        choice, usage = reply.choices[0], reply.usage
        is_refused = bool(choice.message.refusal) and not choice.message.content
        return {
            "text": choice.message.content or "",
            "finish_reason": "refusal" if is_refused else choice.finish_reason or "",
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost_usd": cost_usd(self.budget.price, usage.prompt_tokens, usage.completion_tokens),
        }, None

    def _judge(self, client: "AsyncOpenAI", fault: Fault) -> None:
        """Raise where this fault says that no request can work."""
        said = fault.message.replace(client.api_key, "***")  # some servers repeat the key
        if fault.kind == "unreachable":
            self._wait_for_server(said)
            return
        is_first = fault.remedy == "skip" and not self.answered
        if fault.remedy == "stop" or (is_first and self.faults[fault.kind] >= SKIPPED_AT_FIRST):
            raise TeacherError(
                f"the teacher at {client.base_url} refused the request ({fault.kind}): {said}; "
                f"check teacher.model={self.teacher.model!r}, the key in "
                f"{self.run.runtime.teacher_key_env} and the account; answers so far are kept"
            )

    def _wait_for_server(self, said: str) -> None:
        """Raise when the server has been away for too long."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self.run.log(f"the teacher cannot be reached ({said}); trying again")
        away = now - self._away_since
        if away > PATIENCE_SECONDS[self._is_seen]:
            raise TeacherError(
                f"the teacher at {self.run.runtime.teacher_url} cannot be reached: {said}; tried "
                f"{self.faults['unreachable']} times, the last {away:.0f} s without success. Is it "
                f"running? HORNBOOK_TEACHER_URL (runtime.teacher_url) names it, null is the "
                f"embedded teacher; answers so far are kept, the same command goes on"
            )

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than there is something to wait for."""
        if seconds > 0 and not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), seconds)
            except TimeoutError:
                return

    def _remark(self) -> str:
        spent = f"{self.budget.spent_usd:.4f} USD" if self.budget.spent_usd else ""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        return "  ".join(
            part for part in (spent, f"failed calls: {kinds}" if kinds else "") if part
        )


def ask_all(run: Run, teacher: Teacher, requests: Sequence[Request]) -> Iterator[Answer]:
    """An answer or a failure for each request, in their order; stored answers are not asked again.

    Raises:
        TeacherError: The teacher cannot be reached or refuses.
        BudgetError: The cost cap is reached, or the model has no price.
    """
    price = price_of(teacher)
    hashes = [request_hash(request_body(teacher, request)) for request in requests]
    with closing(AnswerStore(run.store("teacher"))) as store:
        paid = store.costs(hashes)
        budget = Budget(price, run.runtime.max_cost_usd, spent_usd=sum(paid.values()))
        asker = Asker(run, teacher, store, budget)
        missing = {digest: n for n, digest in enumerate(hashes) if digest not in paid}
        todo = ((digest, request_body(teacher, requests[n])) for digest, n in missing.items())
        try:
            if missing:
                asyncio.run(asker.ask(todo, len(missing)))
        finally:
            run.measure(asked=len(missing), stored=len(requests) - len(missing),
                        failures=dict(sorted(asker.faults.items())))  # fmt: skip
        for start in range(0, len(requests), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            found = store.get(hashes[part])
            for request, digest in zip(requests[part], hashes[part], strict=True):
                stored = found.get(digest)
                if stored is None:
                    failure = asker.failed[digest]
                    yield Answer(request.key, digest, "", "", 0, 0, 0.0, failure)
                else:
                    yield _answer(request.key, digest, stored, teacher)


def _answer(key: str, digest: str, stored: dict[str, Any], teacher: Teacher) -> Answer:
    # at the price in conf, so that the artifact does not depend on when an answer was bought
    tokens = stored["prompt_tokens"], stored["completion_tokens"]
    cost = cost_usd(price_of(teacher), *tokens)
    return Answer(key, digest, stored["text"], stored["finish_reason"], *tokens, cost, None)
