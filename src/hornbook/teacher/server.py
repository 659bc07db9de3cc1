"""`hornbook teacher serve`: the procedural teacher over HTTP, OpenAI-compatible."""

import argparse
import json
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hornbook.teacher.procedural import MODEL, BadRequestError, complete


class Handler(BaseHTTPRequestHandler):
    """POST /v1/chat/completions and GET /v1/models."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The list of models."""
        if self.path.rstrip("/") == "/v1/models":
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "hornbook"}
            self._send(200, {"object": "list", "data": [model]})
        else:
            self._send(404, BadRequestError(404, f"no {self.path}; see /v1/models").body())

    def do_POST(self) -> None:
        """A chat completion."""
        try:
            self._send(200, complete(self._body()))
        except BadRequestError as error:
            self._send(error.status, error.body())

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.rstrip("/") != "/v1/chat/completions":
            raise BadRequestError(404, f"no {self.path}; POST /v1/chat/completions")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise BadRequestError(400, f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError(400, "the body is not a JSON object")
        return body

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base's
        """Quiet: a line per request would be thousands."""


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
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    where = f"http://{options.host}:{server.server_address[1]}/v1"
    sys.stdout.write(f"serving {MODEL!r} at {where} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0
