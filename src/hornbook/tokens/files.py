"""Text files of a folder that a user brings, plain or gzipped."""

import gzip
import zlib
from pathlib import Path

from hornbook.errors import InputError


def find_text_file(folder: Path, pattern: str) -> list[Path]:
    """The files in `folder` that match `pattern` or `pattern`.gz."""
    return sorted([*folder.glob(pattern), *folder.glob(f"{pattern}.gz")])


def read_text_file(folder: Path, pattern: str) -> tuple[Path, str]:
    """The one file in `folder` that matches `pattern` or `pattern`.gz, and its text.

    Raises:
        InputError: There is none or more than one, or it cannot be read.
    """
    found = find_text_file(folder, pattern)
    if len(found) != 1:
        here = ", ".join(sorted(path.name for path in folder.glob("*"))) or "nothing"
        raise InputError(
            f"{folder} has {len(found)} files {pattern}[.gz], expected one; there is {here}; "
            f"data.tokenizer names the folder"
        )
    content = found[0].read_bytes()
    try:
        plain = gzip.decompress(content) if found[0].suffix == ".gz" else content
        return found[0], plain.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{found[0]} cannot be read: {error}") from error
