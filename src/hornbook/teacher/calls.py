"""One call: reserved and entered before it goes out, settled when its outcome is known."""

import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hornbook.teacher.budget import NOTHING, Budget, Spent, cost_usd
from hornbook.teacher.faults import Fault, of_error, of_reply
from hornbook.teacher.store import AnswerStore

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ANSWERED = "answered"
# the endpoint may have written, and billed, an answer that nobody received
UNKNOWN_OUTCOME = {"timeout", "dropped", "malformed", "no_usage"}


class Reply(NamedTuple):
    """An answer or a fault."""

    answer: dict[str, Any] | None
    fault: Fault | None


class Sender(Protocol):
    """Whoever brings a request body to an endpoint and its reply back."""

    def __call__(self, body: dict[str, Any]) -> Awaitable[Reply]:
        """The reply; never an exception for what an endpoint does."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


class ClientSender:
    """A sender in this process."""

    def __init__(self, client: "AsyncOpenAI", model: str | None) -> None:
        self.client, self.model = client, model

    async def __call__(self, body: dict[str, Any]) -> Reply:
        """One completion; the key is struck out of what the server says."""
        import openai

        if self.model is not None:
            body = body | {"model": self.model}
        try:
            reply = await self.client.chat.completions.create(**body)
        except (openai.APIError, ValueError) as error:  # ValueError: a body that is not JSON
            fault = of_error(error)
            said = fault.message.replace(self.client.api_key, "***")  # some servers repeat it
            return Reply(None, fault._replace(message=said))
        fault = of_reply(reply)
        return Reply(None, fault) if fault else Reply(answer_of(reply), None)

    async def close(self) -> None:
        """Close the client."""
        await self.client.close()


def answer_of(reply: Any) -> dict[str, Any]:  # noqa: ANN401 - a ChatCompletion, checked by of_reply
    """What is kept of a completion."""
    choice, usage = reply.choices[0], reply.usage
    is_refused = bool(choice.message.refusal) and not choice.message.content
    return {
        "text": choice.message.content or "",
        "finish_reason": "refusal" if is_refused else choice.finish_reason or "",
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
    }


def paid(budget: Budget, answer: dict[str, Any] | None, factor: float = 1.0) -> Spent:
    """What an answer took; a call that the endpoint refused took nothing."""
    if answer is None:
        return NOTHING
    prompt, completion = answer["prompt_tokens"], answer["completion_tokens"]
    return Spent(cost_usd(budget.price, prompt, completion) * factor, prompt, completion)


class Caller:
    """Calls within the budget, each in the ledger whatever comes of it."""

    def __init__(self, store: AnswerStore, budget: Budget) -> None:
        self.store, self.budget = store, budget

    async def call(self, send: Sender, endpoint: str, digest: str, body: dict[str, Any]) -> Reply:
        """The reply of one call; its most is held already.

        Raises:
            ArtifactError: The store of answers cannot be written.
        """
        most, started = self.budget.most(body), time.monotonic()
        number = self.store.send(digest, endpoint, most)
        reply = await send(body)
        status = reply.fault.kind if reply.fault else ANSWERED
        actual = None if status in UNKNOWN_OUTCOME else paid(self.budget, reply.answer)
        self.budget.settle(most, most if actual is None else actual)
        self.store.settle(number, status, actual, reply.answer, time.monotonic() - started)
        return reply
