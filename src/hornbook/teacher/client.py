"""The `openai` client for whichever teacher is configured."""

import json
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hornbook.errors import ConfigError, TeacherError
from hornbook.runtime import Endpoint, Runtime
from hornbook.teacher.calls import ClientSender, Sender
from hornbook.teacher.config import Teacher
from hornbook.teacher.endpoints import EMBEDDED, Line, Switchboard, endpoints
from hornbook.teacher.procedural import MODEL, BadRequestError, complete

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

REPLY_SECONDS = 300.0  # a long answer from a busy server of one's own
CONNECT_SECONDS = 5.0  # a host that swallows packets is told from a slow one


def open_client(teacher: Teacher, endpoint: Endpoint, runtime: Runtime) -> "AsyncOpenAI":
    """A client without retries of its own: `ask` counts every attempt.

    Raises:
        TeacherError: The model needs an endpoint and none is configured, or its key is not set.
    """
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    if endpoint.url == EMBEDDED:
        if teacher.model != MODEL:
            raise TeacherError(
                f"teacher.model={teacher.model!r} needs an endpoint: set HORNBOOK_TEACHER_URL, "
                f"or teacher=procedural for the embedded one"
            )
        return AsyncOpenAI(
            api_key=EMBEDDED,
            base_url="http://embedded/v1",
            max_retries=0,
            http_client=embedded_client(),
        )
    name = endpoint.key_env or runtime.teacher_key_env
    key = os.environ.get(name)
    if key is None and teacher.model != MODEL and not _is_local(endpoint.url):
        raise TeacherError(
            f"{endpoint.url} needs a key: set the environment variable {name} (its name is "
            f"runtime.teacher_key_env, or key_env of the endpoint)"
        )
    return AsyncOpenAI(
        api_key=key or "none",
        base_url=endpoint.url,
        max_retries=0,
        timeout=httpx2.Timeout(REPLY_SECONDS, connect=CONNECT_SECONDS),
        http_client=DefaultAioHttpClient(),
    )


def _is_chat(path: str) -> bool:
    return path.endswith("/chat/completions")  # an empty body for others is answered by 404


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def open_switchboard(teacher: Teacher, runtime: Runtime) -> Switchboard:
    """All endpoints, each with its sender: clients of this process, or actors of Ray.

    Raises:
        TeacherError: As `open_client`; or Ray is configured and not installed.
        ConfigError: The endpoints contradict each other.
    """
    if (runtime.compute, runtime.transport) == ("ray", "batch"):
        raise ConfigError(
            "runtime.transport=batch and runtime.compute=ray cannot be combined: a batch is one "
            "upload; set HORNBOOK_COMPUTE=local"
        )
    lines: list[Line] = []
    for endpoint in endpoints(runtime):
        if runtime.compute == "ray":
            from hornbook.teacher.spread import RaySender

            send: Sender = RaySender(teacher, endpoint, runtime)
        else:
            send = ClientSender(open_client(teacher, endpoint, runtime), endpoint.model)
        lines.append(Line(endpoint, runtime, send))
    return Switchboard(lines)


def embedded_client() -> "httpx2.AsyncClient":
    """An HTTP client whose transport is the embedded teacher: no socket is opened."""
    import httpx2

    class Embedded(httpx2.AsyncBaseTransport):
        """Answers in this process."""

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            """A completion, or the API's error with its status."""
            body = json.loads(await request.aread()) if _is_chat(request.url.path) else {}
            try:
                return httpx2.Response(200, json=complete(body))
            except BadRequestError as error:
                return httpx2.Response(error.status, json=error.body())

    return httpx2.AsyncClient(transport=Embedded())
