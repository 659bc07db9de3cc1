"""What was paid for: answers by the hash of their request, kept across runs and workspaces."""

import errno
import hashlib
import json
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.errors import ArtifactError
from hornbook.teacher.budget import Spent

TABLES = (
    "CREATE TABLE IF NOT EXISTS answers (hash TEXT PRIMARY KEY, answer TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS calls (
        number INTEGER PRIMARY KEY, hash TEXT, endpoint TEXT, status TEXT, prompt_tokens INTEGER,
        completion_tokens INTEGER, cost_usd REAL, seconds REAL)""",
    "CREATE INDEX IF NOT EXISTS calls_by_hash ON calls (hash)",
    """CREATE TABLE IF NOT EXISTS batches (
        name TEXT PRIMARY KEY, endpoint TEXT, id TEXT, first INTEGER, last INTEGER)""",
)
SENT = "sent"  # what a call is called before its outcome is known, and after a kill for good
ROWS_A_QUERY = 500  # SQLite takes 999 question marks where it is old


class Batch(NamedTuple):
    """Calls that went out as one file."""

    name: str
    endpoint: str
    id: str | None  # None until the endpoint has given it one
    first: int
    last: int

    @property
    def calls(self) -> range:
        """The numbers of its calls."""
        return range(self.first, self.last + 1)


class Outcome(NamedTuple):
    """What became of one call."""

    number: int
    status: str
    actual: Spent | None  # None: nobody knows, the most it could take stays
    answer: Mapping[str, Any] | None
    is_final: bool = False  # whether asking again is useless


class AnswerStore:
    """An append-only table of answers; safe under several processes and after `kill -9`.

    Raises:
        ArtifactError: The file is no database, damaged, or held by another process for long.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "answers.sqlite"
        with self._faults():
            self._connection = sqlite3.connect(self.file, timeout=60, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # without a sync per answer: it survives the process, not the power
            self._connection.execute("PRAGMA synchronous=NORMAL")
            for table in TABLES:
                self._connection.execute(table)

    def get(self, hashes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The stored answers among `hashes`."""
        query = "SELECT hash, answer FROM answers WHERE hash"
        return {key: json.loads(text) for key, text in self._rows(query, hashes)}

    def known(self, hashes: Sequence[str]) -> set[str]:
        """Which of `hashes` have an answer."""
        return {key for (key,) in self._rows("SELECT hash FROM answers WHERE hash", hashes)}

    def spent(self, hashes: Sequence[str]) -> Spent:
        """What all calls for `hashes` took; one whose outcome nobody saw, the most it could."""
        columns = "SUM(cost_usd), SUM(prompt_tokens), SUM(completion_tokens)"
        query = f"SELECT {columns} FROM calls WHERE hash"  # noqa: S608 - ours
        rows = [row for row in self._rows(query, hashes) if row[0] is not None]
        usd, prompt, completion = zip(*rows, strict=True) if rows else ((), (), ())
        return Spent(sum(usd), sum(prompt), sum(completion))

    def seconds(self, hashes: Sequence[str]) -> list[float]:
        """How long each answered call for `hashes` took."""
        query = "SELECT seconds FROM calls WHERE status = 'answered' AND hash"
        return [seconds for (seconds,) in self._rows(query, hashes)]

    def send(self, key: str, endpoint: str, most: Spent) -> int:
        """Enter a call before it goes out, at the most it can take; returns its number.

        Committed at once: a kill between this and `settle` leaves it counted, never forgotten.
        """
        with self._faults(), self._transaction():
            return self._enter(key, endpoint, most)

    def _enter(self, key: str, endpoint: str, most: Spent) -> int:
        row = (key, endpoint, SENT, most.prompt_tokens, most.completion_tokens, most.usd)
        query = "INSERT INTO calls VALUES (NULL, ?, ?, ?, ?, ?, ?, NULL)"
        number = self._connection.execute(query, row).lastrowid
        assert number is not None, "SQLite numbers every row"
        return number

    def settle(
        self,
        number: int,
        status: str,
        actual: Spent | None,
        answer: Mapping[str, Any] | None,
        seconds: float,
    ) -> None:
        """Enter the outcome of a call and keep its answer; the first answer to a request stays.

        `actual` None leaves the most that the call could take: nobody knows what was billed.
        """
        with self._faults(), self._transaction():
            self._settle(number, status, actual, answer, seconds)

    def _settle(
        self,
        number: int,
        status: str,
        actual: Spent | None,
        answer: Mapping[str, Any] | None,
        seconds: float | None,
    ) -> None:
        execute = self._connection.execute
        if actual is None:
            execute("UPDATE calls SET status = ?, seconds = ? WHERE number = ?",
                    (status, seconds, number))  # fmt: skip
        else:
            values = (status, *actual[1:], actual.usd, seconds, number)
            execute("UPDATE calls SET status = ?, prompt_tokens = ?, completion_tokens = ?, "
                    "cost_usd = ?, seconds = ? WHERE number = ?", values)  # fmt: skip
        if answer is not None:
            query = "INSERT OR IGNORE INTO answers SELECT hash, ? FROM calls WHERE number = ?"
            execute(query, (json.dumps(answer), number))

    def open_batch(self, endpoint: str, calls: Sequence[tuple[str, Spent]]) -> Batch:
        """Enter calls (request hash, most) and the batch that will carry them, before it goes."""
        with self._faults(), self._transaction():
            numbers = [self._enter(digest, endpoint, most) for digest, most in calls]
            first, last = numbers[0], numbers[-1]
            content = "|".join([str(first), *(digest for digest, _ in calls)])
            name = hashlib.sha256(content.encode()).hexdigest()[:32]
            values = (name, endpoint, None, first, last)
            self._connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", values)
        return Batch(*values)

    def name_batch(self, name: str, batch_id: str) -> None:
        """Enter the id that the endpoint gave."""
        with self._faults(), self._transaction():
            self._connection.execute("UPDATE batches SET id = ? WHERE name = ?", (batch_id, name))

    def open_batches(self) -> list[Batch]:
        """Batches whose outcome is not entered yet, oldest first."""
        with self._faults():
            rows = self._connection.execute("SELECT * FROM batches ORDER BY first").fetchall()
        return [Batch(*row) for row in rows]

    def hashes_of(self, batch: Batch) -> list[str]:
        """The request hashes of its calls."""
        query = "SELECT hash FROM calls WHERE number BETWEEN ? AND ? ORDER BY number"
        with self._faults():
            rows = self._connection.execute(query, (batch.first, batch.last)).fetchall()
        return [digest for (digest,) in rows]

    def close_batch(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Enter all outcomes of a batch and forget it, in one transaction."""
        with self._faults(), self._transaction():
            for number, status, actual, answer, _ in outcomes:
                self._settle(number, status, actual, answer, None)
            self._connection.execute("DELETE FROM batches WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, query: str, hashes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(hashes), ROWS_A_QUERY):
            part = hashes[start : start + ROWS_A_QUERY]
            marks = ",".join("?" * len(part))
            with self._faults():
                rows = self._connection.execute(f"{query} IN ({marks})", part).fetchall()
            yield from rows

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk rolls back by itself
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _faults(self) -> Generator[None]:
        """What SQLite reports, as errors that name the file and the remedy."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OSError(errno.ENOSPC, str(error), str(self.file)) from error
            raise ArtifactError(
                f"{self.file} cannot be used: {error}; if another process holds it, wait for that "
                f"one or end it, and run again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ArtifactError(
                f"{self.file}: {error}; it holds the teacher's answers: restore it from a backup, "
                f"or move it aside, and what it held is asked again"
            ) from error
