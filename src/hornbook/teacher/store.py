"""What was paid for: answers by the hash of their request, kept across runs and workspaces."""

import errno
import json
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hornbook.errors import ArtifactError

ANSWERS = "CREATE TABLE IF NOT EXISTS answers (hash TEXT PRIMARY KEY, answer TEXT NOT NULL)"
LEDGER = (
    "CREATE TABLE IF NOT EXISTS ledger (hash TEXT, attempt INTEGER, status TEXT, "
    "prompt_tokens INTEGER, completion_tokens INTEGER, cost_usd REAL, seconds REAL)"
)
ROWS_A_QUERY = 500  # SQLite takes 999 question marks where it is old


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
            self._connection.execute(ANSWERS)
            self._connection.execute(LEDGER)

    def get(self, hashes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The stored answers among `hashes`."""
        return {key: json.loads(text) for key, text in self._select("answer", hashes)}

    def costs(self, hashes: Sequence[str]) -> dict[str, float]:
        """What each stored answer among `hashes` cost when it was asked for, in dollars."""
        return dict(self._select("json_extract(answer, '$.cost_usd')", hashes))

    def seconds(self, hashes: Sequence[str]) -> list[float]:
        """How long each answered call for `hashes` took."""
        query = "SELECT hash, seconds FROM ledger WHERE status = 'answered' AND hash"
        return [seconds for _, seconds in self._rows(query, hashes)]

    def record(
        self, key: str, attempt: int, status: str, answer: Mapping[str, Any] | None, seconds: float
    ) -> None:
        """Write a call into the ledger and keep its answer; the first answer to a request stays.

        Both in one transaction: no other process waits while this one sleeps before a retry.
        """
        paid = answer or {}
        numbers = [paid.get(name, 0) for name in ("prompt_tokens", "completion_tokens", "cost_usd")]
        with self._faults(), self._transaction():
            self._connection.execute(
                "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, attempt, status, *numbers, seconds),
            )
            if answer is not None:
                self._connection.execute(
                    "INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, json.dumps(answer))
                )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, column: str, hashes: Sequence[str]) -> Iterator[tuple[str, Any]]:
        return self._rows(f"SELECT hash, {column} FROM answers WHERE hash", hashes)  # noqa: S608 - ours

    def _rows(self, query: str, hashes: Sequence[str]) -> Iterator[tuple[str, Any]]:
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
