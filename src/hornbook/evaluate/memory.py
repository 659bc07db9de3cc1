"""What a checkpoint answered before, by the hash of checkpoint, settings and request."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Memory:
    """Answers of one checkpoint under one set of settings, shared by all workspaces."""

    def __init__(self, folder: Path, checkpoint: str, settings: Mapping[str, Any]) -> None:
        self.prefix = json.dumps([checkpoint, dict(settings)], sort_keys=True)
        self.connection = sqlite3.connect(folder / "scores.sqlite", timeout=60)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value TEXT)"
        )
        self.connection.commit()

    def key(self, request: Any) -> str:  # noqa: ANN401 - any JSON
        """The identity of a request to this checkpoint."""
        text = self.prefix + json.dumps(request, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Known answers by key."""
        found: dict[str, Any] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value FROM scores WHERE key IN ({marks})"  # noqa: S608 - question marks only
            found |= {key: json.loads(value) for key, value in self.connection.execute(query, part)}
        return found

    def put(self, answers: Mapping[str, Any]) -> None:
        """Keep answers; a crash loses at most the batch in flight."""
        rows = [(key, json.dumps(value)) for key, value in answers.items()]
        self.connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows)
        self.connection.commit()
