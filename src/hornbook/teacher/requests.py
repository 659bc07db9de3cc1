"""A question to the teacher, what identifies it, and what comes back."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hornbook.teacher.config import Teacher
from hornbook.teacher.procedural import MODEL, prompt_of, revision


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
    salt = revision(prompt_of(body)) if body["model"] == MODEL else ""
    return hashlib.sha256((json.dumps(body, sort_keys=True) + salt).encode()).hexdigest()[:32]
