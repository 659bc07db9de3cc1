"""What the links of a chain of scores share: each takes up the folders of those before it.

Source: D-024, how the graph grows by stages that all readers read.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json
from hornbook.lineage.workspace import Hasher
from hornbook.stage import Run, parse_summary

RECORDS = "artifacts.json"


def take_up(run: Run, before: str, family: str, records: dict[str, dict[str, Any]]) -> list[str]:
    """Names of the folders that the link at path `before` has, copied; it goes into `records`.

    At the beginning of a chain `before` is a file, and there is nothing to take up.
    """
    found = [folder for folder in sorted(run.input(before).glob("*")) if folder.is_dir()]
    for folder in found:
        shutil.copytree(folder, run.out / folder.name)
    if found:
        records[f"{family}@{Path(before).name}"] = record(run, before)
    return [folder.name for folder in found]


def record(run: Run, path: str) -> dict[str, Any]:
    """What the page tells of an artifact; `hash` is the DVC hash of its bytes."""
    folder = run.input(path)
    hasher = Hasher(folder.parents[path.count("/")])
    checks = folder / "expectations.json"
    found = {
        "path": path,
        "hash": hasher.hash(path),
        "size_bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "summary": parse_summary(folder),
        "checks": read_json(checks) if checks.exists() else {},
    }
    hasher.save()
    return found


def copy_files(folder: Path, patterns: Sequence[str], target: Path) -> None:
    """The files of `folder` that match, at their places below `target`."""
    for file in sorted(file for pattern in patterns for file in folder.glob(pattern)):
        place = target / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
