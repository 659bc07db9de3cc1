"""What the items of an evaluation asked: by the benchmarks' files that were recorded then."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hornbook.errors import InputError
from hornbook.lineage.cache import cached_file
from hornbook.lineage.cells import recorded_files
from hornbook.lineage.manifest import LockEntry, load_graph, lookup
from hornbook.lineage.workspace import Hasher

_FOLDER = "data.benchmarks"
_SAME_ITEMS = {"gsm8k_code": "gsm8k"}  # a task by the benchmark whose items it asks


@dataclass(frozen=True)
class Question:
    """What an item asks; `choices` are empty where it has none."""

    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """Questions by item; `others` ask different things on the two sides, `remark` is a doubt."""

    questions: Mapping[str, Question]
    others: frozenset[str]
    remark: str


class Questions:
    """The questions of recorded benchmarks, read once for each record of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, dict[str, Question] | None] = {}

    @cached_property
    def path(self) -> str:
        """The folder of the benchmarks."""
        return str(lookup(load_graph(self.root).params, _FOLDER))

    def of_both(self, before: LockEntry, after: LockEntry) -> Asked:
        """The questions that two evaluations were asked."""
        digests = [entry.deps.get(self.path, "") for entry in (before, after)]
        old, new = (self._of(digest) for digest in digests)
        shown = new or old or {}
        if digests[0] == digests[1]:
            remark = "" if new is not None else "the questions are not here: dvc pull data"
            return Asked(shown, frozenset(), remark)
        if old is None or new is None:
            return Asked(shown, frozenset(), (
                f"{self.path} is not the same on both sides and not here as it was: items are "
                f"compared by name, and a name may ask something else"
            ))  # fmt: skip
        others = frozenset(name for name in {*old, *new} if old.get(name) != new.get(name))
        return Asked(shown, others, "")

    def _of(self, digest: str) -> dict[str, Question] | None:
        if digest not in self._known:
            self._known[digest] = self._read(digest)
        return self._known[digest]

    def _read(self, digest: str) -> dict[str, Question] | None:
        """The questions of the files with a hash, from the work tree or DVC's cache."""
        if (self.root / self.path).is_dir() and Hasher(self.root).hash(self.path) == digest:
            return _questions(self.root / self.path)
        files = recorded_files(self.root, self.path, digest)
        if files is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            for name, md5 in files.items():
                place, kept = Path(folder, name), cached_file(self.root, md5)
                if not kept.exists():
                    return None
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(kept.resolve())
            return _questions(Path(folder))


def _questions(folder: Path) -> dict[str, Question] | None:
    from hornbook.evaluate.texts import benchmark_items

    found: dict[str, Question] = {}
    try:
        for one in benchmark_items(folder):
            found[one.item_id] = Question(one.question, one.choices)
            for same, original in _SAME_ITEMS.items():
                if one.benchmark == original:
                    found[f"{same}/{one.item_id}"] = found[one.item_id]
    except InputError:
        return None  # an earlier form that today's readers do not know
    return found
