"""The source files of the Python that runs this: its standard library and what is installed."""

import platform
import sysconfig
from collections.abc import Iterator, Sequence
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from hornbook.code import licences
from hornbook.code.files import File, recorded, walk
from hornbook.errors import ConfigError

LIBRARY = "python"
LIBRARY_LICENCE = "PSF-2.0"
ALL = "*"
FOREIGN = ("site-packages/", "dist-packages/")
AMBIGUOUS = "BSD-2-Clause AND BSD-3-Clause"  # what "BSD" alone may mean


class Package(NamedTuple):
    """A distribution, and its source files by the name that the record gives them."""

    name: str
    version: str
    licence: str
    files: list[File]


def pinned(names: Sequence[str]) -> list[str]:
    """`NAME==VERSION` of each name as it is installed here; `*` is all of them.

    Raises:
        ConfigError: A name is not installed.
    """
    found = _versions()
    wanted = sorted(found) if ALL in names else list(names)
    missing = [name for name in wanted if name.partition("==")[0] not in found]
    if missing:
        raise ConfigError(
            f"code.corpus.installed={list(names)}: {', '.join(missing)} is not installed here; "
            f"install it, or take the name from pip list"
        )
    return sorted({name if "==" in name else f"{name}=={found[name]}" for name in wanted})


def packages(pins: Sequence[str]) -> Iterator[Package]:
    """The distributions that conf names, with the versions that it names.

    Raises:
        ConfigError: Another version is installed.
    """
    found = _versions() if pins else {}
    for pin in pins:
        name, _, version = pin.partition("==")
        if found.get(name) != version:
            raise ConfigError(
                f"code.corpus.installed names {pin}, but {found.get(name, 'nothing of it')} is "
                f"installed here; install that version, or run: hornbook compose"
            )
        yield _library() if name == LIBRARY else _package(name, version)


def _versions() -> dict[str, str]:
    # of two of a name, Python imports the first
    found = {LIBRARY: platform.python_version()}
    for one in metadata.distributions():
        found.setdefault(one.metadata["Name"].lower(), one.version)
    return found


def _library() -> Package:
    version = platform.python_version()
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [
        file._replace(name=f"{LIBRARY}-{version}/{file.name}")
        for file in walk(root, ["**/*.py"])
        if not file.name.startswith(FOREIGN)
    ]
    return Package(LIBRARY, version, LIBRARY_LICENCE, files)


def _package(name: str, version: str) -> Package:
    found = metadata.distribution(name)
    files: list[File] = []
    for one in sorted(found.files or (), key=str):
        if one.suffix != ".py" or ".." in one.parts:
            continue
        path = Path(str(found.locate_file(one)))
        size = path.stat().st_size if path.is_file() else 0
        fault = "symlink" if path.is_symlink() else None if path.is_file() else "unreadable"
        files.append(File(recorded(f"{name}-{version}/{one.as_posix()}"), str(path), size, fault))
    return Package(name, version, licence_of(found.metadata), files)


def licence_of(about: "metadata.PackageMetadata | Message[str, str]") -> str:
    """The SPDX expression of a distribution's METADATA; empty where it says nothing usable.

    `License-Expression` first. `License` is free text, often the whole licence, and classifiers
    cannot tell the BSD licences apart nor OR from AND: the one that names more is taken, and
    several classifiers bind together.
    """
    expression = licences.spdx(about["License-Expression"] or "")
    if expression:
        return expression
    field = (about["License"] or "").strip()
    named = licences.spdx(field) or licences.spdx(field.partition("\n")[0])
    classifiers = [
        one
        for one in about.get_all("Classifier") or []
        if one.startswith("License :: ") and one != "License :: OSI Approved"
    ]
    classified = licences.of_list(classifiers)
    return named if named and named != AMBIGUOUS else classified or named
