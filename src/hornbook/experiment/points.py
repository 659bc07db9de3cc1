"""The points of a sweep: `web.filter.threshold=2,3,4` is three experiments, each with its name.

Hydra's own grammar says what is a sweep. Every point is composed and validated before any runs.
"""

import itertools
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.compose import compose
from hornbook.diff.revisions import WORK_TREE_NAMES
from hornbook.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
MOST_POINTS = 256
MOST_CHARACTERS = 200  # with what stands before and behind it, below the 255 of a file system


@dataclass(frozen=True)
class Point:
    """One experiment to run: its name, the overrides without sweeps, the composed values."""

    name: str
    overrides: tuple[str, ...]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class _Axis:
    """An override and what it is in each point; `label` stands in names, empty without a sweep."""

    key: str
    values: tuple[str, ...]
    label: str


def points(root: Path, name: str, overrides: Sequence[str]) -> list[Point]:
    """Every combination of the swept values, the last axis fastest; one point without a sweep.

    Raises:
        ConfigError: The name or an override is not valid, a sweep cannot be enumerated, two points
            would have one name, or a point does not compose.
    """
    require_name(root, name)
    axes = _axes(root, overrides)
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_POINTS:
        raise ConfigError(f"{' '.join(overrides)}: {count} experiments; at most {MOST_POINTS}")
    rows = list(itertools.product(*(axis.values for axis in axes)))
    names = [_name(name, axes, row) for row in rows]
    double = [one for one, times in Counter(names).items() if times > 1]
    if double:
        raise ConfigError(
            f"two points of {' '.join(overrides)} would both be called {double[0]}: a value stands "
            f"twice, or values differ only in characters that a name cannot have; sweep them apart"
        )
    found: list[Point] = []
    for one, row in zip(names, rows, strict=True):
        given = tuple(
            value if axis.key.startswith("~") else f"{axis.key}={value}"
            for axis, value in zip(axes, row, strict=True)
        )
        require_name(root, one)
        found.append(Point(one, given, compose(root, given)))
    return found


def require_name(root: Path, name: str) -> None:
    """Refuse what cannot name an experiment.

    Raises:
        ConfigError: It has other characters, git refuses it, or git means another commit by it.
    """
    is_reference = ".." not in name and not name.endswith((".", ".lock"))
    if not NAME.fullmatch(name) or not is_reference:
        raise ConfigError(
            f"experiment name {name!r}: letters, digits, '_', '.' and '-' only, begun by a letter "
            f"or digit, without '..' and not ended by '.' or '.lock'"
        )
    if len(name) > MOST_CHARACTERS:
        raise ConfigError(
            f"experiment name {name[:40]}...: {len(name)} characters, at most {MOST_CHARACTERS} "
            f"fit the names of its files; choose a shorter one, or sweep fewer values at once"
        )
    if name.lower() in WORK_TREE_NAMES:
        raise ConfigError(
            f"experiment name {name!r}: `diff` and `compare` mean the work tree by it"
        )
    known = subprocess.run(
        ["git", "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if known.returncode == 0:
        raise ConfigError(
            f"experiment name {name!r}: git has a branch, tag or commit of this name, which `diff` "
            f"and `compare` would take instead; choose another"
        )


def parse(overrides: Sequence[str]) -> list["Override"]:
    """The overrides by Hydra's grammar.

    Raises:
        ConfigError: One of them is not of that grammar.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    found: list[Override] = []
    for one in overrides:
        try:
            found.append(parser.parse_override(one))
        except HydraException as error:
            told = " ".join(str(error).split("See https")[0].split())
            raise ConfigError(
                f"{one}: {told}; an override is KEY=VALUE, GROUP=OPTION, +KEY=VALUE or ~KEY, a "
                f"sweep KEY=A,B,C"
            ) from error
    return found


def _axes(root: Path, overrides: Sequence[str]) -> list[_Axis]:
    parsed = parse(overrides)
    swept = [one.key_or_group for one in parsed if one.is_sweep_override()]
    axes: list[_Axis] = []
    for one, text in zip(parsed, overrides, strict=True):
        key = one.get_key_element()
        if not one.is_sweep_override():
            value = text if one.is_delete() else one.get_value_element_as_str()
            axes.append(_Axis(key, (value,), ""))
            continue
        values = _swept(root, one, text)
        axes.append(_Axis(key, tuple(values), _short(one.key_or_group, swept)))
    return axes


def _swept(root: Path, override: "Override", text: str) -> list[str]:
    """The values of one swept override, as they are written after its `=`."""
    from hydra.core.override_parser.types import Glob

    if override.is_interval_sweep():
        raise ConfigError(
            f"{text}: an interval has no end of values; name them (KEY=A,B,C) or use "
            f"range(START,STOP,STEP)"
        )
    value = override.value()
    if isinstance(value, Glob):
        options = sorted(f.stem for f in (root / "conf" / override.key_or_group).glob("*.yaml"))
        found = value.filter(options)
        if not found:
            raise ConfigError(
                f"{text}: none of the options of {override.key_or_group} "
                f"({', '.join(options) or 'no such group'}) is like that"
            )
        return found
    return list(override.sweep_string_iterator())


def _short(key: str, keys: Sequence[str]) -> str:
    """The last words of a key, as many as tell it from the other swept keys."""
    words = re.split(r"[./]", key)
    for count in range(1, len(words)):
        short = words[-count:]
        alike = [one for one in keys if re.split(r"[./]", one)[-count:] == short]
        if len(alike) == 1:
            return ".".join(short)
    return ".".join(words)


def _name(name: str, axes: Sequence[_Axis], row: Sequence[str]) -> str:
    parts = [
        f"_{axis.label}-{'-'.join(filter(None, _UNFIT.split(value))).strip('.') or 'empty'}"
        for axis, value in zip(axes, row, strict=True)
        if axis.label
    ]
    return name + "".join(parts)
