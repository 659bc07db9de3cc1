"""What a checkpoint answered before, by the hash of checkpoint, settings and request."""

import hashlib
import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hornbook.errors import ArtifactError


class Memory:
    """Answers of one checkpoint under one set of settings, shared by all workspaces.

    Every method raises ArtifactError where the file is damaged.
    """

    def __init__(self, folder: Path, checkpoint: str, settings: Mapping[str, Any]) -> None:
        self.prefix = json.dumps([checkpoint, dict(settings)], sort_keys=True)
        self.file = folder / "scores.sqlite"
        self.connection = sqlite3.connect(self.file, timeout=60)
        with self._readable():
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
            with self._readable():
                rows = self.connection.execute(query, part).fetchall()
                found |= {key: json.loads(value) for key, value in rows}
        return found

    def put(self, answers: Mapping[str, Any]) -> None:
        """Keep answers; a crash loses at most the batch in flight."""
        rows = [(key, json.dumps(value)) for key, value in answers.items()]
        with self._readable():
            self.connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows)
            self.connection.commit()

    @contextmanager
    def _readable(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.OperationalError:
            raise  # locked, full or forbidden: the file is whole
        except (sqlite3.DatabaseError, json.JSONDecodeError, TypeError) as error:
            raise ArtifactError(
                f"{self.file} is damaged ({error}); delete it, and what was answered before is "
                "computed again"
            ) from error
