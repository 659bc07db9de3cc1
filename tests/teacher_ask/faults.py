"""A server that does what endpoints do on a bad day, on loopback."""

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hornbook.teacher.procedural import complete


@dataclass
class Fault:
    """What the server does instead of answering; the default is to answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # a body of its own
    cut: int = 0  # bytes of the body that are promised but never sent
    drop: bool = False  # close the connection without a word
    sleep: float = 0.0


Plan = Callable[[int, dict[str, Any]], Fault]  # the number of the call and its body


def always(fault: Fault) -> Plan:
    return lambda _number, _body: fault


def once(fault: Fault) -> Plan:
    """The fault for the first call, then answers."""
    return lambda number, _body: fault if number == 0 else Fault()


class Server(ThreadingHTTPServer):
    """Counts what it was asked and answers as the plan says; `answered` is what it would bill."""

    daemon_threads = True

    def __init__(self, plan: Plan, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.plan, self.lock = plan, threading.Lock()
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.answered = self.in_flight = self.most_in_flight = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the plan."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: 40 ms a reply without it
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.asked)
            self.server.asked.append(body)
            self.server.keys.append(self.headers.get("Authorization", ""))
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
        try:
            self._act(self.server.plan(number, body), body)
        finally:
            with self.server.lock:
                self.server.in_flight -= 1

    def _act(self, fault: Fault, body: dict[str, Any]) -> None:
        time.sleep(fault.sleep)
        if fault.drop:
            self.close_connection = True
            return
        data = fault.raw
        if data is None:
            reply = complete(body | {"model": "procedural"})
            data = json.dumps(reply if fault.status == 200 else {"error": {"message": "no"}})
            data = data.encode()
            self.server.answered += fault.status == 200
        self.send_response(fault.status)
        for name, value in ({"Content-Type": "application/json"} | fault.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) - fault.cut] if fault.cut else data)
        self.close_connection = bool(fault.cut)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


ANSWERING = always(Fault())


@contextmanager
def serving(plan: Plan = ANSWERING, port: int = 0) -> Generator[Server]:
    server = Server(plan, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
