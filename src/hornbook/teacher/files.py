"""Files and batches of the procedural teacher's server, as OpenAI's Batch API has them."""

import itertools
import json
import threading
from email.message import Message
from email.parser import BytesParser
from typing import Any

from hornbook.teacher.procedural import BadRequestError, complete


class Desk:
    """Uploaded files, and batches that are done as soon as they are created."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self._numbers, self._lock = itertools.count(1), threading.Lock()

    def upload(self, content_type: str, body: bytes) -> dict[str, Any]:
        """Keep the `file` part of a form.

        Raises:
            BadRequestError: There is none.
        """
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        form: Message = BytesParser().parsebytes(head + body)
        for part in form.get_payload() if form.is_multipart() else ():
            if (
                isinstance(part, Message)
                and part.get_param("name", header="content-disposition") == "file"
            ):
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes), "a part that is no form itself is bytes"
                return self._file(self._keep(content), len(content))
        raise BadRequestError(400, "the form has no part named file")

    def _keep(self, content: bytes) -> str:
        with self._lock:
            name = f"file-{next(self._numbers)}"
            self.files[name] = content
        return name

    @staticmethod
    def _file(name: str, size: int) -> dict[str, Any]:
        return {"id": name, "object": "file", "bytes": size, "created_at": 0,
                "filename": f"{name}.jsonl", "purpose": "batch", "status": "processed"}  # fmt: skip

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer every line of the input file.

        Raises:
            BadRequestError: The file is not there, or is not a batch.
        """
        content = self.content(str(body.get("input_file_id")))
        try:
            rows = [json.loads(line) for line in content.splitlines() if line.strip()]
            replies = [self._reply(row["custom_id"], row["body"]) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise BadRequestError(400, f"the input file is no batch: {error!r}") from error
        output = self._keep("\n".join(map(json.dumps, replies)).encode())
        with self._lock:
            name = f"batch-{next(self._numbers)}"
            self.batches[name] = {
                "id": name, "object": "batch", "endpoint": body.get("endpoint"),
                "input_file_id": body["input_file_id"], "completion_window": "24h",
                "status": "completed", "output_file_id": output, "error_file_id": None,
                "errors": None, "created_at": 0, "metadata": body.get("metadata"),
            }  # fmt: skip
        return self.batches[name]

    @staticmethod
    def _reply(name: str, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            response = {"status_code": 200, "body": complete(asked)}
        except BadRequestError as error:
            response = {"status_code": error.status, "body": error.body()}
        return {"custom_id": name, "response": response, "error": None}

    def content(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            BadRequestError: It is not there.
        """
        if name not in self.files:
            raise BadRequestError(404, f"no file {name!r}")
        return self.files[name]

    def batch(self, name: str) -> dict[str, Any]:
        """A batch as it stands.

        Raises:
            BadRequestError: It is not there.
        """
        if name not in self.batches:
            raise BadRequestError(404, f"no batch {name!r}")
        return self.batches[name]

    def list(self) -> dict[str, Any]:
        """All batches, newest first."""
        found = [*self.batches.values()][::-1]
        return {"object": "list", "data": found, "has_more": False}
