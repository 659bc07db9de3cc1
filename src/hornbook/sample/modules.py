"""The fixed subset of the standard library that the code corpus starts from."""

import hashlib
import shutil
import sysconfig
from pathlib import Path

from hornbook.artifacts import write_bytes, write_text
from hornbook.errors import InputError

VERSION = "3.11.7"
LICENCE = "LICENSE.txt"
MODULES = Path(__file__).with_name("modules.txt")


def checksums() -> dict[str, str]:
    """SHA-256 by path within the standard library, sorted by path."""
    rows = [line.split("  ") for line in MODULES.read_text("ascii").splitlines() if line[:1] != "#"]
    return {path: digest for digest, path in rows}


def copy_library(out: Path, library: Path | None = None) -> None:
    """The modules below `out/cpython-VERSION`, with licence and checksums.

    Raises:
        InputError: This Python's modules are not the bytes of the sample.
    """
    source = library or Path(sysconfig.get_paths()["stdlib"])
    folder = out / f"cpython-{VERSION}"
    contents: dict[str, bytes] = {}
    for path, digest in checksums().items():
        file = source / path
        content = file.read_bytes() if file.is_file() else b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise InputError(
                f"{file} is not the file of CPython {VERSION} that the sample holds; run this "
                f"with CPython {VERSION}, or take the sample as it is: dvc pull data.dvc"
            )
        contents[path] = content
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in contents.items():
        write_bytes(folder / path, content)
    write_bytes(folder / LICENCE, licence(source))
    sums = "".join(f"{digest}  {path}\n" for path, digest in checksums().items())
    write_text(folder / "CHECKSUMS.sha256", sums)


def licence(library: Path) -> bytes:
    """The licence text of the Python whose standard library it is.

    Raises:
        InputError: It is not where CPython installs it.
    """
    for file in (library / LICENCE, library.parent / "LICENSE"):
        if file.is_file():
            return file.read_bytes()
    raise InputError(
        f"{library} has no {LICENCE}; CPython installs it there, some packagers do not"
    )
