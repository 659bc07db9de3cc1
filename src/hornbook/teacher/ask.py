"""Asking the teacher many questions: stored answers first, retries, a cost cap, a ledger."""

import asyncio
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hornbook.errors import BudgetError, TeacherError
from hornbook.stage import Run
from hornbook.teacher.client import open_client
from hornbook.teacher.config import Price, Teacher
from hornbook.teacher.procedural import MODEL, revision
from hornbook.teacher.store import AnswerStore

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
UNREACHABLE_AFTER = 3  # calls in a row that no server answered


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
    """What came back; `failure` is the kind of the last failure, None for an answer."""

    key: str
    request_hash: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
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


def price_of(teacher: Teacher) -> Price:
    """The price of the configured model.

    Raises:
        BudgetError: It has none: an unknown price is not zero.
    """
    if teacher.model not in teacher.prices:
        raise BudgetError(
            f"teacher.prices has no {teacher.model!r}; it has {sorted(teacher.prices)}; add "
            f"{{prompt: USD, completion: USD}} per million tokens in conf/teacher/"
        )
    return teacher.prices[teacher.model]


class Budget:
    """A cap in dollars that holds under concurrency: reserved before a call, settled after."""

    def __init__(self, price: Price, cap_usd: float | None) -> None:
        self.price, self.cap_usd, self.held_usd = price, cap_usd, 0.0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars for tokens."""
        return (prompt_tokens * self.price.prompt + completion_tokens * self.price.completion) / 1e6

    def reserve(self, body: dict[str, Any]) -> float:
        """Hold the most that a call can cost.

        Raises:
            BudgetError: It would exceed the cap.
        """
        size = sum(len(m["content"].encode()) for m in body["messages"])
        most = self.cost(size, body["max_tokens"])  # a token has at least one byte
        if self.cap_usd is not None and self.held_usd + most > self.cap_usd:
            raise BudgetError(
                f"runtime.max_cost_usd={self.cap_usd} is reached ({self.held_usd:.4f} USD spent or "
                f"in flight); what is there is kept: raise the cap and run again to go on"
            )
        self.held_usd += most
        return most

    def settle(self, reserved: float, actual: float) -> None:
        """Replace a reservation by what the call cost."""
        self.held_usd += actual - reserved


class Asker:
    """One batch of questions."""

    def __init__(self, run: Run, teacher: Teacher, store: AnswerStore) -> None:
        self.run, self.teacher, self.store = run, teacher, store
        self.budget = Budget(price_of(teacher), run.runtime.max_cost_usd)
        self.failures: Counter[str] = Counter()
        self.unanswered = 0
        self.jitter = random.Random(0)  # noqa: S311 - spreads retries, touches no result

    async def ask_missing(self, bodies: dict[str, dict[str, Any]]) -> None:
        """Ask everything in `bodies` (by request hash) and store what comes back.

        At the cost cap nothing more is asked, but calls in flight are paid for: they are waited
        for and stored before the error is raised.
        """
        refused: list[BudgetError] = []
        client = open_client(self.teacher, self.run.runtime)
        slots = asyncio.Semaphore(self.run.runtime.concurrency)
        with self.run.progress(len(bodies), "answers", f"asking {self.teacher.model}") as progress:

            async def one(key: str, body: dict[str, Any]) -> None:
                async with slots:
                    if refused:
                        return
                    try:
                        await self._ask(client, key, body)
                    except BudgetError as error:
                        refused.append(error)
                        return
                progress.advance()

            try:
                async with asyncio.TaskGroup() as group:
                    for key, body in bodies.items():
                        group.create_task(one(key, body))
            except* TeacherError as errors:
                raise errors.exceptions[0] from None
            finally:
                await client.close()
        if refused:
            raise refused[0]

    async def _ask(self, client: "AsyncOpenAI", key: str, body: dict[str, Any]) -> None:
        kind = ""
        for attempt in range(ATTEMPTS):
            reserved, started = self.budget.reserve(body), time.monotonic()
            answer, kind, wait = await self._call(client, body)
            seconds = time.monotonic() - started
            self.budget.settle(reserved, answer.get("cost_usd", 0.0))
            self.store.charge(key, attempt, kind or "answered", answer, seconds)
            if not kind:
                self.store.put(key, answer)
                return
            self.failures[kind] += 1
            if wait is None:
                break
            pause = min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            await asyncio.sleep(max(wait, pause * self.jitter.uniform(0.5, 1.0)))
        self.run.log(f"no answer to {key} after its retries: {kind}")

    async def _call(
        self,
        client: "AsyncOpenAI",
        body: dict[str, Any],
    ) -> tuple[dict[str, Any], str, float | None]:
        """One attempt: the answer, a failure's kind, and how long to wait (None: do not retry)."""
        import openai

        try:
            reply = await client.chat.completions.create(**body)
        except openai.APIConnectionError as error:
            self.unanswered += 1
            if self.unanswered >= UNREACHABLE_AFTER:
                raise TeacherError(
                    f"the teacher at {self.run.runtime.teacher_url} cannot be reached ({error}); "
                    f"is it running? HORNBOOK_TEACHER_URL names it, null is the embedded teacher; "
                    f"answers so far are kept"
                ) from error
            return {}, "connection", 0.0
        except openai.APIStatusError as error:
            self.unanswered = 0
            if error.status_code in {400, 401, 403, 404, 422}:
                raise TeacherError(
                    f"the teacher refused the request with status {error.status_code}: "
                    f"{error.message}; check teacher.model={self.teacher.model!r} and its key"
                ) from error
            return {}, f"status_{error.status_code}", _retry_after(error)
        except (openai.APIResponseValidationError, json.JSONDecodeError):
            self.unanswered = 0
            return {}, "malformed", 0.0
        self.unanswered = 0
        return self._answer(reply)

    def _answer(self, reply: Any) -> tuple[dict[str, Any], str, float | None]:  # noqa: ANN401
        # a proxy's page or another JSON arrives here as it is: the client does not validate
        usage, choices = getattr(reply, "usage", None), getattr(reply, "choices", None)
        if not choices or usage is None:
            return {}, "malformed", 0.0
        answer = {
            "text": choices[0].message.content or "",
            "finish_reason": choices[0].finish_reason or "",
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost_usd": self.budget.cost(usage.prompt_tokens, usage.completion_tokens),
        }
        return answer, "", None


def _retry_after(error: Any) -> float:  # noqa: ANN401 - openai.APIStatusError
    try:
        return float(error.response.headers.get("retry-after", 0.0))
    except ValueError:
        return 0.0


def ask_all(run: Run, teacher: Teacher, requests: Sequence[Request]) -> Iterator[Answer]:
    """An answer or a failure for each request, in their order; stored answers are not asked again.

    Raises:
        TeacherError: The teacher cannot be reached or refuses.
        BudgetError: The cost cap is reached, or the model has no price.
    """
    bodies = {request.key: request_body(teacher, request) for request in requests}
    hashes = {key: request_hash(body) for key, body in bodies.items()}
    store = AnswerStore(run.store("teacher"))
    try:
        known = store.get(hashes.values())
        missing = {hashes[key]: body for key, body in bodies.items() if hashes[key] not in known}
        asker = Asker(run, teacher, store)
        if missing:
            asyncio.run(asker.ask_missing(missing))
            known |= store.get(missing)
        run.measure(asked=len(missing), stored=len(requests) - len(missing),
                    failures=dict(sorted(asker.failures.items())))  # fmt: skip
    finally:
        store.close()
    for request in requests:
        yield _as_answer(request.key, hashes[request.key], known.get(hashes[request.key]))


def _as_answer(key: str, digest: str, stored: dict[str, Any] | None) -> Answer:
    if stored is None:
        return Answer(key, digest, "", "", 0, 0, 0.0, "unanswered")
    return Answer(key, digest, failure=None, **stored)
