"""The `openai` client for whichever teacher is configured."""

import json
import os
from typing import TYPE_CHECKING

from hornbook.errors import TeacherError
from hornbook.runtime import Runtime
from hornbook.teacher.config import Teacher
from hornbook.teacher.procedural import MODEL, BadRequestError, complete

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

REPLY_SECONDS = 300.0  # a long answer from a busy server of one's own
CONNECT_SECONDS = 5.0  # a host that swallows packets is told from a slow one


def open_client(teacher: Teacher, runtime: Runtime) -> "AsyncOpenAI":
    """A client without retries of its own: `ask` counts every attempt.

    Raises:
        TeacherError: The model needs an endpoint and none is configured, or its key is not set.
    """
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    if runtime.teacher_url is None:
        if teacher.model != MODEL:
            raise TeacherError(
                f"teacher.model={teacher.model!r} needs an endpoint: set HORNBOOK_TEACHER_URL, "
                f"or teacher=procedural for the embedded one"
            )
        return AsyncOpenAI(
            api_key="embedded",
            base_url="http://embedded/v1",
            max_retries=0,
            http_client=embedded_client(),
        )
    key = os.environ.get(runtime.teacher_key_env)
    if key is None and teacher.model != MODEL and "127.0.0.1" not in runtime.teacher_url:
        raise TeacherError(
            f"{runtime.teacher_url} needs a key: set the environment variable "
            f"{runtime.teacher_key_env} (its name is runtime.teacher_key_env)"
        )
    return AsyncOpenAI(
        api_key=key or "none",
        base_url=runtime.teacher_url,
        max_retries=0,
        timeout=httpx2.Timeout(REPLY_SECONDS, connect=CONNECT_SECONDS),
        http_client=DefaultAioHttpClient(),
    )


def embedded_client() -> "httpx2.AsyncClient":
    """An HTTP client whose transport is the embedded teacher: no socket is opened."""
    import httpx2

    class Embedded(httpx2.AsyncBaseTransport):
        """Answers in this process."""

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            """A completion, or the API's error with its status."""
            try:
                return httpx2.Response(200, json=complete(json.loads(await request.aread())))
            except BadRequestError as error:
                return httpx2.Response(error.status, json=error.body())

    return httpx2.AsyncClient(transport=Embedded())
