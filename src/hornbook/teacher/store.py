"""What was paid for: answers by the hash of their request, kept across runs and workspaces."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class AnswerStore:
    """An append-only table of answers; safe under several processes and after `kill -9`."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "answers.sqlite", timeout=60)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")  # survives the process, not the power
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS answers (hash TEXT PRIMARY KEY, answer TEXT NOT NULL)"
        )
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS ledger (hash TEXT, attempt INTEGER, status TEXT, "
            "prompt_tokens INTEGER, completion_tokens INTEGER, cost_usd REAL, seconds REAL)"
        )
        self.connection.commit()

    def get(self, hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The stored answers among `hashes`."""
        wanted, found = list(hashes), dict[str, dict[str, Any]]()
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self.connection.execute(
                f"SELECT hash, answer FROM answers WHERE hash IN ({marks})",  # noqa: S608 - question marks only
                part,
            )
            found |= {key: json.loads(answer) for key, answer in rows}
        return found

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer; the first one for a request stays."""
        self.connection.execute(
            "INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, json.dumps(answer))
        )
        self.connection.commit()

    def charge(
        self, key: str, attempt: int, status: str, answer: dict[str, Any], seconds: float
    ) -> None:
        """Write one call into the ledger."""
        tokens = (answer.get("prompt_tokens", 0), answer.get("completion_tokens", 0))
        self.connection.execute(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, attempt, status, *tokens, answer.get("cost_usd", 0.0), seconds),
        )

    def close(self) -> None:
        """Commit and close."""
        self.connection.commit()
        self.connection.close()
