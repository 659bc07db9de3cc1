"""The stages from topics to textbooks, at the smallest scale, outside DVC."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hornbook.books.answers import book_answers
from hornbook.books.corpus import synthetic_books
from hornbook.books.diversity import book_diversity
from hornbook.books.excerpts import book_excerpts
from hornbook.stage import Run
from hornbook.topics.proposals import topic_proposals
from hornbook.topics.seeds import topic_seeds
from tests.made_run import CONF, conf, made_run

TAXONOMY, PAGES = "conf/topics/embedded", "data/web"
PATHS = {
    "topic_proposals": (topic_proposals, "artifacts/topics/proposals"),
    "topic_seeds": (topic_seeds, "artifacts/topics/seeds"),
    "book_excerpts": (book_excerpts, "artifacts/books/excerpts"),
    "book_answers": (book_answers, "artifacts/books/answers"),
    "synthetic_books": (synthetic_books, "artifacts/books/corpus"),
    "book_diversity": (book_diversity, "artifacts/books/diversity"),
}
BEFORE_ASKING = ("topic_proposals", "topic_seeds", "book_excerpts")
PAGE = "The old mill stands by the river. " * 6


def smoke_params() -> dict[str, Any]:
    """The parameters of the stages with few books."""
    params = {noun: conf(noun) for noun in ("topics", "books", "web")}
    params["topics"]["proposals"]["rounds"] = 0
    params["books"]["answers"]["count"] = 120
    params["books"]["corpus"]["programs"]["sample"] = 4
    params["teacher"] = conf("teacher", "procedural")
    params["data"] = {"web": PAGES}
    return params


class Workspace:
    """A root in which stages follow each other."""

    def __init__(self, root: Path) -> None:
        self.root, self.params, self.runs = root, smoke_params(), 0
        shutil.copytree(CONF / "topics" / "embedded", root / TAXONOMY)
        (root / PAGES).mkdir(parents=True)
        rows = [{"url": f"http://a/{n}", "text": f"{PAGE}It is mill {n}."} for n in range(20)]
        (root / PAGES / "pages.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def prepare(self) -> "Workspace":
        """All that comes before the first question for a book."""
        for name in BEFORE_ASKING:
            self.stage(name)
        return self

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
        reads = [TAXONOMY, PAGES, *(path for _, path in PATHS.values())]
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
