"""Whether files changed, asked by size and time alone, so that it can be asked all the time."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from dagster_project.manifest import ROOT, graph_of
from hornbook.artifacts import write_text
from hornbook.errors import ConfigError, HornbookError
from hornbook.lineage.manifest import Stage

Looked = Mapping[str, tuple[int, int, int]]
DEFINING = ("conf", "dagster_project", "dvc.yaml", "params.yaml")


def look(paths: Iterable[Path]) -> Looked:
    """Time, size and inode of each file at or below the paths; what is not there is left out."""
    found: dict[str, tuple[int, int, int]] = {}
    for path in paths:
        for name, stat in _files(str(path)):
            found[name] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def _files(path: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(path) as listed:
            entries = [*listed]
    except NotADirectoryError:
        yield path, Path(path).stat()
        return
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry.path)
        elif not entry.name.endswith(".pyc"):
            with suppress(FileNotFoundError):  # it went away meanwhile, or is a link to nothing
                yield entry.path, entry.stat()


def changes(before: Looked, now: Looked) -> set[str]:
    """The files that are new, gone or others."""
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}


def look_at_definitions(root: Path = ROOT) -> Looked:
    """What Dagster's definitions are read from: conf/, the graph and the code of each stage."""
    code = {path for stage in _stages(root) for path in stage.code}
    inputs = (file for file in root.glob("*.dvc") if file.is_file())  # not DVC's own folder
    return look([*(root / name for name in sorted({*DEFINING, *code})), *sorted(inputs)])


def look_at_data(root: Path = ROOT) -> Looked:
    """What was made and recorded: artifacts, inputs, `dvc.lock`, the experiments."""
    stages = _stages(root)
    paths = {*(stage.out for stage in stages), *(p for stage in stages for p in stage.sources)}
    return look([root / "dvc.lock", *(root / path for path in sorted(paths)), *_references(root)])


def _stages(root: Path) -> list[Stage]:
    try:
        return [*graph_of(root).stages.values()]
    except HornbookError:
        return []  # a broken manifest shows when the definitions are loaded again


@lru_cache(maxsize=2)
def _references(root: Path) -> tuple[Path, ...]:
    """Where git keeps the experiments; a work tree of its own shares it with the checkout."""
    told = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return (Path(told, "refs", "exps"), Path(told, "packed-refs")) if told else ()


def _error_file(root: Path) -> Path:
    return root / ".hornbook" / "conf-error.txt"


def keep_conf_error(message: str | None, root: Path = ROOT) -> None:
    """What is wrong with conf/, for the definitions to show; None where nothing is."""
    if message is None:
        _error_file(root).unlink(missing_ok=True)
    else:
        write_text(_error_file(root), message)


def require_sound_conf(root: Path = ROOT) -> None:
    """Refuse to load definitions of values that conf/ no longer composes to.

    Raises:
        ConfigError: conf/ does not compose; what it says.
    """
    try:
        message = _error_file(root).read_text("utf-8")
    except FileNotFoundError:
        return
    raise ConfigError(f"conf/ does not compose; mend it and this page comes back:\n{message}")
