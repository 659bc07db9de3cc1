"""The callers on Ray: actors on any machine of a cluster send, this process keeps the books.

Reservations, ledger and answers stay with the stage, so that caps hold over all machines and the
answers are those of a local run.
"""

import asyncio
from itertools import cycle
from typing import TYPE_CHECKING, Any

from hornbook.cluster import joined
from hornbook.runtime import Endpoint, Runtime
from hornbook.teacher.calls import ClientSender, Reply
from hornbook.teacher.config import Teacher
from hornbook.teacher.endpoints import places
from hornbook.teacher.faults import Fault

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class RaySender:
    """One actor per worker for an endpoint; requests go to them in turn.

    Raises:
        ConfigError: Ray is not installed, or no cluster can be joined or started.
    """

    def __init__(self, teacher: Teacher, endpoint: Endpoint, runtime: Runtime) -> None:
        self.url = endpoint.url
        ray = joined(runtime)
        concurrency = places(endpoint, runtime)
        actor = ray.remote(Actor).options(max_concurrency=concurrency, max_restarts=-1)
        self.actors = [actor.remote(teacher, endpoint, runtime) for _ in range(runtime.workers)]
        self._turns = cycle(self.actors)
        self._lost: tuple[type[Exception], ...] = (ray.exceptions.RayActorError,)

    async def __call__(self, body: dict[str, Any]) -> Reply:
        """The reply of one actor; an actor that is gone is a dropped connection."""
        try:
            return await next(self._turns).send.remote(body)
        except self._lost:
            return Reply(None, Fault("dropped", "retry", message="a Ray actor was lost"))

    async def close(self) -> None:
        """End the actors' connections; the cluster is left as it is."""
        await asyncio.gather(*(actor.close.remote() for actor in self.actors))


class Actor:
    """Sends from wherever Ray put it."""

    def __init__(self, teacher: Teacher, endpoint: Endpoint, runtime: Runtime) -> None:
        self._made = (teacher, endpoint, runtime)
        self._sender: ClientSender | None = None

    async def send(self, body: dict[str, Any]) -> Reply:
        """The reply."""
        if self._sender is None:  # here, because a client belongs to the loop that runs it
            self._sender = ClientSender(self._open(), self._made[1].model)
        return await self._sender(body)

    def _open(self) -> "AsyncOpenAI":
        from hornbook.teacher.client import open_client

        return open_client(*self._made)

    async def close(self) -> None:
        """Close the client."""
        if self._sender is not None:
            await self._sender.close()
