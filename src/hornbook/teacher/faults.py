"""What can go wrong in a call: a word for it, and whether asking again can help."""

import time
from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple

RETRIED = {408, 409, 425, 429}  # and everything from 500
STOPPED = {401, 402, 403, 404, 405, 407}  # wrong for every request, not for this one
# the aiohttp transport reports a lost connection as a connect timeout too: only the class at the
# end of the chain tells a server that is not there from one that hung up
NOT_THERE = {
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientProxyConnectionError",
    "ConnectError",
    "ConnectionTimeoutError",
}
SLOW = {"PoolTimeout", "ReadTimeout", "WriteTimeout"}


class Fault(NamedTuple):
    """Why a call has no answer."""

    kind: str  # counted under this word
    remedy: Literal["retry", "skip", "stop"]  # skip: this request never works; stop: none does
    wait_seconds: float = 0.0  # what the server asks for
    message: str = ""


def of_error(error: Exception) -> Fault:
    """The fault behind an exception of the client."""
    import openai

    if isinstance(error, openai.APIStatusError):
        wait = retry_after(error.response.headers)
        return of_status(error.status_code, error.message[:300], wait_seconds=wait, code=error.code)
    if isinstance(error, openai.APIConnectionError):
        chain = {type(cause).__name__: cause for cause in _causes(error)}
        missing = sorted(NOT_THERE & chain.keys())
        if missing:
            return Fault("unreachable", "retry", message=str(chain[missing[0]]))
        return Fault("timeout" if SLOW & chain.keys() else "dropped", "retry")
    return Fault("malformed", "retry", message=str(error))


def of_reply(reply: Any) -> Fault | None:  # noqa: ANN401 - the client returns what the server sent
    """The fault of a reply that is no completion, though its status says so."""
    choices = getattr(reply, "choices", None)
    if not choices or choices[0].message is None:
        return Fault("malformed", "retry")
    usage = getattr(reply, "usage", None)
    counts = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    if not all(isinstance(count, int) for count in counts):
        return Fault("no_usage", "skip", message="the reply has no token counts to settle a cost")
    return None


def of_status(
    status: int, message: str, *, wait_seconds: float = 0.0, code: str | None = None
) -> Fault:
    """The fault behind an HTTP status."""
    kind = f"status_{status}"
    if status in STOPPED or code == "insufficient_quota":
        return Fault(kind, "stop", message=message)
    if status in RETRIED or status >= 500:
        return Fault(kind, "retry", wait_seconds, message)
    return Fault(kind, "skip", message=message)


def retry_after(headers: Any) -> float:  # noqa: ANN401 - httpx2.Headers
    """Seconds until the server wants to be asked again; 0 where it does not say."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "0")
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _causes(error: BaseException | None) -> Generator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
