"""The embedded teacher as a chat completion: request body in, response body out."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hornbook.teacher import judgement, verdicts
from hornbook.teacher.passages import write
from hornbook.teacher.proposing import proposals

MODEL = "procedural"
FIELD = re.compile(
    r"^(Domain|Subject|Topic|Audience|Style|Variation|Words|Excerpt): (.+)$", re.MULTILINE
)
DOCUMENT = re.compile(r"<document>\n?(.*?)\n?</document>", re.DOTALL)
WORD = re.compile(r"\w+|[^\w\s]")


WRITING = ("domains.py", "facts.yaml", "judgement.py", "knowledge.py", "passages.py",
           "proposing.py")  # fmt: skip
VERDICTS = ("verdicts.py", "../web/toxic.py", "../web/toxic_words.txt")


def revision(prompt: str) -> str:
    """A hash of what the answer to a prompt is made from: another revision, other answers.

    Verdicts have one of their own, so that their rule can change and every book stays the same.
    """
    return _hash_of(VERDICTS if prompt.startswith(verdicts.TASK) else WRITING)


@cache
def _hash_of(names: tuple[str, ...]) -> str:
    content = b"".join((Path(__file__).parent / name).read_bytes() for name in names)
    return hashlib.sha256(content).hexdigest()[:16]


def prompt_of(body: Mapping[str, Any]) -> str:
    """The messages of a request as one text."""
    return "\n".join(str(message.get("content", "")) for message in body["messages"])


class BadRequestError(Exception):
    """A request that an OpenAI-compatible server answers with a 4xx status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def body(self) -> dict[str, Any]:
        """The error as OpenAI's API writes it."""
        return {"error": {"message": str(self), "type": "invalid_request_error", "code": None}}


def answer_text(prompt: str, seed: int) -> str:
    """What the teacher says to a prompt."""
    if prompt.startswith(verdicts.TASK):
        return verdicts.reply(prompt)
    if "Task: educational value" in prompt:
        found = DOCUMENT.search(prompt)
        return judgement.reply(found.group(1) if found else "")
    if "Task: topic proposals" in prompt:
        return proposals(prompt)
    fields = {name.lower(): value.strip() for name, value in FIELD.findall(prompt)}
    return write(fields, seed)


def complete(body: Mapping[str, Any]) -> dict[str, Any]:
    """A chat completion; tokens are words and signs, as the teacher has no tokenizer.

    Raises:
        BadRequestError: The model is unknown or the messages are malformed.
    """
    if body.get("model") != MODEL:
        raise BadRequestError(404, f"model {body.get('model')!r} does not exist; this is {MODEL!r}")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError(400, "messages must be a non-empty list")
    if not all(isinstance(message, dict) for message in messages):
        raise BadRequestError(400, "a message is an object with role and content")
    seed = body.get("seed") or 0
    if not isinstance(seed, int):
        raise BadRequestError(400, f"seed {seed!r} is not a whole number")
    prompt = prompt_of(body)
    text = answer_text(prompt, seed)
    words, limit = list(WORD.finditer(text)), body.get("max_tokens")
    is_cut = isinstance(limit, int) and len(words) > limit
    if is_cut:
        text = text[: words[limit - 1].end()] if limit else ""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24]
    prompt_tokens = len(WORD.findall(prompt))
    completion_tokens = min(len(words), limit) if isinstance(limit, int) else len(words)
    return {
        "id": f"chatcmpl-{digest}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "length" if is_cut else "stop",
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
