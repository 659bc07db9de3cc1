"""What is said to be up to date is what making it again would give, whatever was edited before.

Two oracles: `dvc status` for which stages changed by themselves, and a recomputation of every
artifact from values, code and data as they are now. HORNBOOK_FUZZ=N asks for N sequences of edits.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.workspace import Hasher, compare, stale_stages
from tests.toy import Toy, make_toy

STAGES = ("base", "branch@one", "branch@two", "end")
INPUTS = {"base": (), "branch@one": ("base",), "branch@two": ("base",),
          "end": ("branch@one", "branch@two")}  # fmt: skip
SEQUENCES = int(os.environ.get("HORNBOOK_FUZZ", "25"))


def out_of(stage: str) -> str:
    return f"artifacts/{stage.replace('@', '/')}"


@dataclass(frozen=True)
class Edit:
    """One thing a person or a crash does to a checkout."""

    kind: str
    what: Any = None
    value: int = 0

    def apply(self, toy: Toy) -> None:
        getattr(self, f"_{self.kind}")(toy)

    def _value(self, toy: Toy) -> None:
        file = toy.root / "params.yaml"
        params = yaml.safe_load(file.read_text())
        params[self.what] = {"level": self.value}
        file.write_text(yaml.safe_dump(dict(sorted(params.items(), reverse=self.value % 2 == 1))))

    def _comment(self, toy: Toy) -> None:
        file = toy.root / "tool.py"
        file.write_text(f"{file.read_text().partition('# ')[0]}# {self.value}\n")

    def _code(self, toy: Toy) -> None:
        file = toy.root / "tool.py"
        _, _, rest = file.read_text().partition("MARK = ")
        file.write_text(f"MARK = '{self.value}'\n{rest.partition(chr(10))[2]}")

    def _data(self, toy: Toy) -> None:
        (toy.root / "data" / "raw.txt").write_text(f"raw {self.value}\n")

    def _artifact(self, toy: Toy) -> None:
        file = toy.root / out_of(self.what) / "value.txt"
        if file.exists():
            file.chmod(0o644)
            file.write_text(f"by hand {self.value}\n")

    def _further_file(self, toy: Toy) -> None:
        folder = toy.root / out_of(self.what)
        if folder.exists():
            (folder / "note.txt").write_text(str(self.value))

    def _lost(self, toy: Toy) -> None:
        shutil.rmtree(toy.root / out_of(self.what), ignore_errors=True)

    def _touched(self, toy: Toy) -> None:
        file = toy.root / out_of(self.what) / "value.txt"
        if file.exists():
            os.utime(file, (self.value, self.value))

    def _repro(self, toy: Toy) -> None:
        try:  # also out of order, as DVC lets people do
            Repo(str(toy.root)).reproduce([self.what], single_item=True)
        except DvcException:
            return  # an input is missing

    def _repro_all(self, toy: Toy) -> None:
        Repo(str(toy.root)).reproduce()

    def _checkout(self, toy: Toy) -> None:
        try:
            Repo(str(toy.root)).checkout(force=True)
        except DvcException:
            return  # the lock names an artifact of the future or the past that was never made

    def _commit(self, toy: Toy) -> None:
        toy.run("git", "add", "-A")
        toy.run("git", "commit", "-q", "--allow-empty", "-m", "edit")

    def _other_revision(self, toy: Toy) -> None:
        toy.run("git", "checkout", "-q", "-f", "first")

    def _back(self, toy: Toy) -> None:
        toy.run("git", "checkout", "-q", "-f", "main")


def edits() -> st.SearchStrategy[Edit]:
    numbers, stages = st.integers(1, 3), st.sampled_from(STAGES)
    on_stages = st.sampled_from(["artifact", "further_file", "lost", "touched", "repro"])
    plain = st.sampled_from(
        ["comment", "code", "data", "repro_all", "checkout", "commit", "other_revision", "back"]
    )
    return st.one_of(
        st.builds(Edit, st.just("value"), st.sampled_from(["left", "right", "other"]), numbers),
        st.builds(Edit, on_stages, stages, numbers),
        st.builds(Edit, plain, st.none(), numbers),
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The toy graph, run and committed; each sequence of edits gets a copy."""
    toy = make_toy(tmp_path_factory.mktemp("edits") / "recorded")
    file = toy.root / "tool.py"
    marked = file.read_text().replace("{name} {level}", "{MARK} {name} {level}")
    file.write_text(f"MARK = 'a'\n{marked}")
    toy.dvc("repro", "-q")
    toy.run("git", "checkout", "-q", "-b", "main")
    toy.commit("run once")
    toy.run("git", "tag", "first")
    return toy


def recomputed(root: Path) -> dict[str, dict[str, str]]:
    """What each artifact would hold if the graph were made now, from nothing."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    mark = (root / "tool.py").read_text().partition("MARK = '")[2][0]
    texts: dict[str, str] = {}
    for stage in STAGES:
        name = stage.rpartition("@")[2]
        level = {"base": params["left"]["level"], "end": 0}.get(name, params["right"]["level"])
        given_text = "".join(texts[one] for one in INPUTS[stage])
        read = given_text or (root / "data" / "raw.txt").read_text()
        texts[stage] = f"{mark} {name} {level}\n{read}"
    return {stage: {"value.txt": text} for stage, text in texts.items()}


def on_disk(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(folder.glob("*"))}


def changed_by_dvc(root: Path) -> set[str]:
    """Stages that DVC finds changed by themselves, inputs as they are on disk."""
    return {name.rpartition(":")[2] for name in Repo(str(root)).status()} & {*STAGES}


def check(root: Path, done: Sequence[Edit]) -> None:
    graph, lock, hasher = load_graph(root), load_lock(root), Hasher(root)
    ours = {
        name for name, one in graph.stages.items() if compare(one, lock.get(name), graph, hasher)
    }
    assert ours == changed_by_dvc(root), done
    stale = stale_stages(graph, lock, hasher)
    now = recomputed(root)
    for stage in STAGES:
        if stage not in stale:
            assert on_disk(root / out_of(stage)) == now[stage], f"{stage} after {done}"
    hasher.save()


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    derandomize="HORNBOOK_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(sequence=st.lists(edits(), min_size=1, max_size=6))
def test_nothing_is_said_to_be_fresh_that_is_not(recorded, tmp_path_factory, monkeypatch, sequence):
    root = tmp_path_factory.mktemp("edited") / "a toy"
    shutil.copytree(recorded.root, root, symlinks=True)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(root.parent / "site"))
    monkeypatch.chdir(root)
    toy = Toy(root)
    for edit in sequence:
        edit.apply(toy)
    check(root, sequence)
    Repo(str(root)).reproduce()
    assert not stale_stages(load_graph(root), load_lock(root), Hasher(root)), sequence
    assert {one: on_disk(root / out_of(one)) for one in STAGES} == recomputed(root)
    shutil.rmtree(root)
