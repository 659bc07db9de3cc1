"""The teacher's recorded answers, put where a stage in a clean copy finds them by their request.

So a stage that asked an endpoint is made again without it: its requests are planned anew, and each
has to be one that was answered when the artifact was made.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hornbook.lineage.clean_copy import CleanCopy, recorded_files
from hornbook.lineage.manifest import load_graph
from hornbook.stage import shared_folder
from hornbook.teacher.procedural import MODEL
from hornbook.teacher.store import AnswerStore

ANSWER = ("text", "finish_reason", "prompt_tokens", "completion_tokens")
STORE = Path(".hornbook", "store", "teacher")
INSERT = "INSERT OR IGNORE INTO answers VALUES (?, ?)"


def replay(copy: CleanCopy) -> str | None:
    """Where the answers come from: embedded teacher, artifact or store; None where nobody is asked.

    An artifact that keeps answers whole serves on every machine; others keep what they read from
    them, and need the store of the machine that asked.
    """
    if "teacher" not in copy.stage.params:
        return None
    if load_graph(copy.root).params["teacher"]["model"] == MODEL:
        return "embedded teacher"
    (copy.root / STORE).mkdir(parents=True)
    store = AnswerStore(copy.root / STORE)
    store.close()
    with closing(sqlite3.connect(store.file)) as connection, connection:
        connection.executemany(INSERT, _of_artifact(copy))
        if connection.execute("SELECT 1 FROM answers LIMIT 1").fetchone():
            return "answers of the artifact"
        asked = shared_folder(copy.source) / "store" / "teacher" / store.file.name
        if asked.exists():
            with closing(sqlite3.connect(f"{asked.as_uri()}?mode=ro", uri=True)) as there:
                connection.executemany(INSERT, there.execute("SELECT hash, answer FROM answers"))
    return "answers of the store"


def _of_artifact(copy: CleanCopy) -> Iterator[tuple[str, str]]:
    """Request hash and answer of the rows of an artifact that keeps answers whole."""
    import pyarrow.parquet as pq

    files = recorded_files(copy.source, copy.stage.out, copy.entry.out_hash) or {}
    for name, file in files.items():
        if not name.endswith(".parquet"):
            continue
        if not {"id", *ANSWER} <= set(pq.read_schema(file).names):
            continue
        for row in pq.read_table(file, columns=["id", *ANSWER]).to_pylist():
            yield row["id"], json.dumps({key: row[key] for key in ANSWER})
