"""Whether `params.yaml` is what `conf/` composes to: an edit of `conf/` alone changes no stage.

DVC and the graph read `params.yaml`. Composing costs a second, so what was found to agree is
remembered by the names, sizes and times of the files.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.artifacts import write_json
from hornbook.compose import (
    compose,
    last_overrides,
    last_written,
    write_params,
)
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import git_show, load_mapping
from hornbook.lineage.workspace import Reason, parameter_reasons

MEMORY = Path(".hornbook", "composed.json")
FILES = ("params.yaml", "requirements.lock", "dvc.yaml", ".hornbook/overrides.json")
SHOWN = 6


@dataclass(frozen=True)
class Uncomposed:
    """What `conf/` says otherwise than `params.yaml`, and the overrides it was composed with."""

    reasons: list[Reason]  # params.yaml -> conf/
    values: Mapping[str, Any]
    overrides: Sequence[str]

    def __str__(self) -> str:
        """The first differences on one line."""
        told = "; ".join(str(reason) for reason in self.reasons[:SHOWN])
        further = len(self.reasons) - SHOWN
        return f"{told}; and {further} more" if further > 0 else told

    @property
    def command(self) -> str:
        """What writes them."""
        return " ".join(["hornbook compose", *(f"'{one}'" for one in self.overrides)])


def uncomposed(root: Path) -> Uncomposed | None:
    """What of `conf/` is not in `params.yaml` yet; None where they agree.

    `params.yaml` agrees if it is what `conf/` composes to with the overrides of the last
    `hornbook compose` here or with none, which a commit has.

    Raises:
        ConfigError: `conf/` does not compose.
    """
    if not (root / "conf" / "config.yaml").exists():
        return None  # the graph is not ours
    mark = _mark(root)
    if _remembered(root) == mark:
        return None
    written = load_mapping(root / "params.yaml")
    found: Uncomposed | None = None
    for overrides in [last_overrides(root), []] if last_overrides(root) else [[]]:
        values = compose(root, overrides)
        reasons = parameter_reasons(written, values)
        if not reasons:
            settle(root)
            return None
        found = found or Uncomposed(reasons, values, overrides)
    return found


def settle(root: Path) -> None:
    """Take `params.yaml` as composed: a program has written the values of an experiment."""
    write_json(root / MEMORY, _mark(root))


def composed_anew(root: Path) -> str | None:
    """Take up what was edited in `conf/` since the last compose here; a line that says so.

    Raises:
        ConfigError: `conf/` does not compose, or `params.yaml` was edited by hand as well, which
            composing would undo.
    """
    found = uncomposed(root)
    if found is None:
        return None
    if _is_by_hand(root):
        raise ConfigError(
            f"params.yaml is not what conf/ composes to (params.yaml -> conf/): {found}\n"
            f"the values of conf/: {found.command}\n"
            f"the values of params.yaml: write them into conf/, or run them as an experiment: "
            f"hornbook experiment run NAME KEY=VALUE"
        )
    write_params(root, found.overrides)
    return f"conf/ has changed, and params.yaml is composed from it: {found}"


def _is_by_hand(root: Path) -> bool:
    """Whether `params.yaml` is neither what was composed here last nor what is committed."""
    text = (root / "params.yaml").read_text("utf-8")
    if hashlib.sha256(text.encode()).hexdigest() == last_written(root):
        return False
    return text != git_show(root, "HEAD", "params.yaml")


def _mark(root: Path) -> str:
    """The state of all that composing reads, by names, sizes and times."""
    conf = root / "conf"
    files = [file for file in conf.rglob("*.yaml") if file.relative_to(conf).parts[0] != "runtime"]
    files += [root / name for name in FILES if (root / name).exists()]
    rows = [(str(f.relative_to(root)), (s := f.stat()).st_size, s.st_mtime_ns) for f in files]
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()


def _remembered(root: Path) -> str | None:
    try:
        return json.loads((root / MEMORY).read_text("utf-8"))
    except (OSError, ValueError):
        return None
