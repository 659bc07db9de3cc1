"""`hornbook teacher serve`: the procedural teacher over HTTP, OpenAI-compatible."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from hornbook.teacher.files import Desk
from hornbook.teacher.procedural import MODEL, BadRequestError, complete


class Teaching(ThreadingHTTPServer):
    """The server; what was uploaded is gone when it ends."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.desk = Desk()


class Handler(BaseHTTPRequestHandler):
    """Chat completions, models, files and batches under /v1."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: 40 ms a reply without it

    def do_GET(self) -> None:
        """Models, batches, and the content of files."""
        self._answer(self._got)

    def do_POST(self) -> None:
        """A chat completion, a file, a batch."""
        self._answer(self._posted)

    def _answer(self, act: Callable[[list[str]], dict[str, Any] | bytes]) -> None:
        path = urlsplit(self.path).path.strip("/").split("/")
        try:
            self._send(200, act(path[1:] if path[:1] == ["v1"] else ["?"]))
        except BadRequestError as error:
            self._send(error.status, error.body())

    @property
    def _desk(self) -> Desk:
        assert isinstance(self.server, Teaching), "only Teaching uses this handler"
        return self.server.desk

    def _got(self, path: list[str]) -> dict[str, Any] | bytes:
        match path:
            case ["models"]:
                model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "hornbook"}
                return {"object": "list", "data": [model]}
            case ["files", name, "content"]:
                return self._desk.content(name)
            case ["batches"]:
                return self._desk.list()
            case ["batches", name]:
                return self._desk.batch(name)
            case _:
                raise BadRequestError(404, f"no {self.path}; see /v1/models")

    def _posted(self, path: list[str]) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match path:
            case ["chat", "completions"]:
                return complete(_json(raw))
            case ["files"]:
                return self._desk.upload(self.headers.get("Content-Type", ""), raw)
            case ["batches"]:
                return self._desk.create(_json(raw))
            case _:
                raise BadRequestError(404, f"no {self.path}; POST /v1/chat/completions")

    def _send(self, status: int, body: dict[str, Any] | bytes) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base's
        """Quiet: a line per request would be thousands."""


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BadRequestError(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequestError(400, "the body is not a JSON object")
    return body


def main(arguments: Sequence[str]) -> int:
    """`hornbook teacher serve`."""
    parser = argparse.ArgumentParser(
        prog="hornbook teacher",
        description="The procedural teacher as an OpenAI-compatible server.",
        epilog="then: HORNBOOK_TEACHER_URL=http://127.0.0.1:8100/v1 hornbook run book_answers",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until Ctrl-C")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8100)
    options = parser.parse_args(list(arguments))
    server = Teaching((options.host, options.port))
    where = f"http://{options.host}:{server.server_address[1]}/v1"
    sys.stdout.write(f"serving {MODEL!r} at {where} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0
