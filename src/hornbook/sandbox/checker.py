"""Runs inside the sandbox: a program in one process, its tests in another.

The program's process answers calls: the tests send plain values (numbers, text, lists, ...) through
a pipe and get plain values back. So a program cannot see the tests, change what `==` or `assert`
mean to them, hand them an object that equals everything, or end them early; and only the process of
the tests holds the pipe of the verdict. What is no plain value, such as an instance of a class of
the program, stays there and the tests hold its number.

This file imports nothing but what every start of Python has loaded, because it starts once for
each program.
"""

from __future__ import annotations

import builtins
import os
import resource
import signal
import sys

TYPE_CHECKING = False  # that of typing takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST = 1 << 26  # bytes of one message
MOST_ITEMS = 100_000  # of an iterator that a program returns
PLAIN: tuple[type[Any], ...] = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    list,
    tuple,
    dict,
    set,
    frozenset,
    range,
)
SEQUENCES: dict[type[Any], bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"Z"}
SIMPLE: dict[type[Any], tuple[bytes, Callable[[Any], bytes]]] = {
    int: (b"i", lambda n: int.to_bytes(n, int.bit_length(n) // 8 + 1, "big", signed=True)),
    float: (b"f", lambda x: float.hex(x).encode()),
    str: (b"s", lambda text: str.encode(text, "utf-8", "surrogatepass")),
    bytes: (b"b", bytes),
}
BUILDERS: dict[bytes, Callable[[list[Any]], Any]] = {
    **{code: kind for kind, code in SEQUENCES.items()},
    b"I": iter,
    b"R": lambda three: range(*three),
    b"c": lambda two: complex(*two),
}
CONSTANTS = {b"N": None, b"T": True, b"F": False}


class EndedError(Exception):
    """The program's process is gone, or says what is no message."""


class Thing:
    """What only the program's process has: a function, a class, an instance."""

    def __init__(self, calls: Calls, number: int) -> None:
        self._calls, self._number = calls, number

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Its answer to a call."""
        return self._calls.ask(("call", self._number, args, kwargs))

    def __getattr__(self, name: str) -> object:
        return self._calls.ask(("get", self._number, name))


class Codec:
    """Values as bytes. `keep` numbers what is no plain value, `find` is its inverse."""

    def __init__(self, keep: Callable[[object], int], find: Callable[[int], object]) -> None:
        self.keep, self.find = keep, find

    def pack(self, value: Any, out: list[bytes]) -> None:
        """Append the bytes of `value` to the list `out`."""
        kind: type[Any] = type(value)
        if kind not in PLAIN:
            kind = next((one for one in PLAIN if issubclass(kind, one)), kind)
        if value is None or kind is bool:
            out.append(b"N" if value is None else b"T" if value else b"F")
        elif kind in SIMPLE:
            code, content = SIMPLE[kind]
            self._sized(code, content(value), out)
        elif kind in SEQUENCES:
            self._many(SEQUENCES[kind], list(kind.__iter__(value)), out)
        elif kind is dict:
            self._many(b"d", [one for pair in dict.items(value) for one in pair], out)
        elif kind is range:
            self._many(b"R", [value.start, value.stop, value.step], out)
        elif kind is complex:
            self._many(b"c", [value.real, value.imag], out)
        elif hasattr(kind, "__next__"):
            first = zip(range(MOST_ITEMS), value, strict=False)
            self._many(b"I", [one for _, one in first], out)
        else:
            self._sized(b"h", str(self.keep(value)).encode(), out)

    def _sized(self, code: bytes, content: bytes, out: list[bytes]) -> None:
        out.append(code + len(content).to_bytes(4, "big") + content)

    def _many(self, code: bytes, values: list[Any], out: list[bytes]) -> None:
        out.append(code + len(values).to_bytes(4, "big"))
        for value in values:
            self.pack(value, out)

    def unpack(self, data: bytes, at: int = 0) -> tuple[Any, int]:
        """The value at a place, and where it ends."""
        code = data[at : at + 1]
        at += 1
        if code in CONSTANTS:
            return CONSTANTS[code], at
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if code in {b"i", b"f", b"s", b"b", b"h"}:
            return self._simple(code, data[at : at + size]), at + size
        values: list[Any] = []
        for _ in range(size):
            value, at = self.unpack(data, at)
            values.append(value)
        if code == b"d":
            return dict(zip(values[::2], values[1::2], strict=True)), at
        if code not in BUILDERS:
            raise EndedError(f"no message: {code!r}")
        return BUILDERS[code](values), at

    def _simple(self, code: bytes, content: bytes) -> object:
        if code == b"i":
            return int.from_bytes(content, "big", signed=True)
        if code == b"f":
            return float.fromhex(content.decode())
        if code == b"s":
            return content.decode("utf-8", "surrogatepass")
        return content if code == b"b" else self.find(int(content))


class Channel:
    """Messages over two descriptors."""

    def __init__(self, reading: int, writing: int, codec: Codec) -> None:
        self.reading, self.writing, self.codec = reading, writing, codec

    def send(self, value: object) -> None:
        """One value; the other side gets it whole."""
        out: list[bytes] = []
        self.codec.pack(value, out)
        data = b"".join(out)
        left = memoryview(len(data).to_bytes(8, "big") + data)
        while left:
            left = left[os.write(self.writing, left) :]

    def receive(self) -> Any:
        """One value.

        Raises:
            EndedError: There is no other side any more, or what it said is no value.
        """
        size = int.from_bytes(self._bytes(8), "big")
        if size > LONGEST:
            raise EndedError("a message too long")
        try:
            return self.codec.unpack(self._bytes(size))[0]
        except (ValueError, TypeError, KeyError, IndexError, MemoryError, RecursionError) as error:
            raise EndedError(f"no message: {error}") from None

    def _bytes(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = os.read(self.reading, min(size, 1 << 20))
            if not part:
                raise EndedError("the program ended before its tests")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Calls:
    """What the tests see of the program."""

    def __init__(self, reading: int, writing: int) -> None:
        codec = Codec(self._number, lambda number: Thing(self, number))
        self.channel = Channel(reading, writing, codec)

    def _number(self, thing: object) -> int:
        if type(thing) is not Thing:
            raise TypeError(f"a test gives the program a {type(thing).__name__}")
        return thing._number  # pyright: ignore[reportPrivateUsage]

    def ask(self, question: tuple[object, ...]) -> Any:
        """The program's answer, or its exception."""
        self.channel.send(question)
        return self.answer()

    def answer(self) -> Any:
        """As `ask`, of a question that was sent."""
        answer = self.channel.receive()
        if type(answer) is not tuple or len(answer) < 2:
            raise EndedError("no answer")
        if answer[0] == "value":
            return answer[1]
        kind = getattr(builtins, str(answer[1]), None)
        is_error = isinstance(kind, type) and issubclass(kind, Exception)
        text = str(answer[2])[:200]
        raise kind(text) if kind and is_error else RuntimeError(f"{answer[1]}: {text}")


def serve(program: str, reading: int, writing: int) -> None:
    """Run the program, then answer for it until nobody asks."""
    things: list[Any] = []

    def keep(thing: object) -> int:
        things.append(thing)
        return len(things) - 1

    channel = Channel(reading, writing, Codec(keep, lambda number: things[number]))
    names: dict[str, Any] = {"__name__": "__program__"}
    ask: dict[str, Callable[..., Any]] = {
        "names": lambda wanted: {name: names[name] for name in wanted if name in names},
        "call": lambda number, args, kwargs: things[number](*args, **kwargs),
        "get": lambda number, name: getattr(things[number], name),
    }
    question: Any = None
    while True:
        try:
            if question is None:
                exec(compile(program, "program.py", "exec"), names)
                channel.send(("value", None))
            else:
                channel.send(("value", ask[question[0]](*question[1:])))
        except BaseException as error:  # SystemExit is no end either
            channel.send(("raised", type(error).__name__, str(error)[:200]))
        sys.stdout.flush()
        question = channel.receive()


def judge(tests: str, imports: str, wanted: list[str], calls: Calls) -> str:
    """`passed`, `failed` or `ended`; what went wrong is printed."""
    try:
        calls.answer()  # the program has come to its end
        if tests:
            names: dict[str, Any] = {"__name__": "__tests__"}
            exec(compile(imports, "imports.py", "exec"), names)
            found = calls.ask(("names", wanted))
            names.update({name: found[name] for name in wanted if name in found})  # no other
            exec(compile(tests, "tests.py", "exec"), names)
    except EndedError as error:
        print(error)
        return "ended"
    except BaseException as error:
        print(f"{type(error).__name__} {str(error)[:150]}")
        return "failed"
    return "passed"


def read_all(descriptor: int) -> str:
    """What a descriptor holds, as text; it is closed."""
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode("utf-8", "surrogatepass")


def limit(name: str, value: int) -> None:
    """One of the kernel's limits, for good."""
    resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def main() -> None:
    """Arguments: descriptors of program, tests, verdict; seconds; NAME=VALUE for each limit."""
    program_at, tests_at, pipe = map(int, sys.argv[1:4])
    seconds, limits = float(sys.argv[4]), dict(one.split("=") for one in sys.argv[5:])
    processes = int(limits.pop("NPROC"))
    for name, value in limits.items():
        limit(name, int(value))
    sys.argv[:] = ["program.py"]
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        for descriptor in (tests_at, pipe, ours_in, ours_out):
            os.close(descriptor)
        limit("NPROC", processes)
        try:
            serve(read_all(program_at), theirs_in, theirs_out)
        finally:
            os._exit(0)
    for descriptor in (program_at, theirs_in, theirs_out):
        os.close(descriptor)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    imports, wanted, tests = read_all(tests_at).split("\0", 2)
    verdict = judge(tests, imports, wanted.split(), Calls(ours_in, ours_out))
    sys.stdout.flush()
    if verdict == "ended":  # the timer still runs, for a program that only closed its pipes
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGKILL, signal.SIGXCPU}
        verdict = "timeout" if killed else "failed"
    else:
        os.kill(pid, signal.SIGKILL)
    os.write(pipe, verdict.encode())
    os._exit(0)  # as the first process of the namespace this ends every other one in it


if __name__ == "__main__":
    main()
