"""The stages from topics to textbooks, at the smallest scale, outside DVC."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hornbook.books.answers import book_answers
from hornbook.books.corpus import synthetic_books
from hornbook.stage import Run
from hornbook.topics.seeds import topic_seeds
from tests.made_run import CONF, conf, made_run

TAXONOMY = "conf/topics/taxonomy.yaml"
PATHS = {
    "topic_seeds": (topic_seeds, "artifacts/topics"),
    "book_answers": (book_answers, "artifacts/books/answers"),
    "synthetic_books": (synthetic_books, "artifacts/books/corpus"),
}


def smoke_params() -> dict[str, Any]:
    """The parameters of the three stages with one book a topic."""
    params = {noun: conf(noun) for noun in ("topics", "books")}
    params["books"]["answers"]["variations"] = 1
    params["teacher"] = conf("teacher", "procedural")
    params["data"] = {"topics": TAXONOMY}
    return params


class Workspace:
    """A root in which stages follow each other."""

    def __init__(self, root: Path) -> None:
        self.root, self.params, self.runs = root, smoke_params(), 0
        (root / TAXONOMY).parent.mkdir(parents=True)
        (root / TAXONOMY).write_bytes((CONF / "topics" / "taxonomy.yaml").read_bytes())

    def stage(self, name: str, **runtime: object) -> Path:
        """The artifact of a stage, put where the next one looks for it."""
        function, path = PATHS[name]
        self.last = self._run(name, **runtime)
        function(self.last)
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return self.last.out.rename(target)

    def _run(self, name: str, **runtime: object) -> Run:
        self.runs += 1
        reads = [TAXONOMY, *(path for _, path in PATHS.values())]
        run = made_run(self.root, f"{name}@{self.runs}", reads=reads, params=self.params)
        run.runtime = replace(run.runtime, **runtime)
        return run


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Workspace(tmp_path / "one")


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Workspace]:
    """Workspaces that share nothing."""
    count = iter(range(100))
    return lambda: Workspace(tmp_path / f"fresh-{next(count)}")
