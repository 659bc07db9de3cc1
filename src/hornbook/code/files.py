"""Source files of a folder tree: found in order, never through a link, read up to a limit."""

import codecs
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.code.rules import Reason, Source

COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]{2,30})", re.MULTILINE)
# encodings of text; others that Python knows unpack or rewrite it
CODECS = re.compile(r"(?:iso8859|cp125|koi8|euc_|gb|big5|shift_jis|mac|cp437|cp85|cp866|latin).*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_NAME = 400


class File(NamedTuple):
    """A file below a root."""

    name: str  # as it is recorded
    path: str
    num_bytes: int
    fault: Reason | None = None


def walk(root: Path, globs: Sequence[str]) -> Iterator[File]:
    """Files that match a glob, by path; links are not followed and come with that fault."""
    wanted = re.compile("|".join(f"(?:{pattern(one)})" for one in globs))
    todo = [b""]
    base = os.fsencode(root)
    while todo:
        folder = todo.pop()
        try:
            entries = sorted(os.scandir(os.path.join(base, folder)), key=lambda entry: entry.name)  # noqa: PTH118 - bytes
        except OSError:
            yield File(recorded(folder), os.fsdecode(os.path.join(base, folder)), 0, "unreadable")  # noqa: PTH118
            continue
        inner: list[bytes] = []
        for entry in entries:
            inside = folder + b"/" + entry.name if folder else entry.name
            name = recorded(inside)
            if entry.is_symlink():
                if wanted.fullmatch(name) or Path(os.fsdecode(entry.path)).is_dir():
                    yield File(name, os.fsdecode(entry.path), 0, "symlink")
            elif entry.is_dir(follow_symlinks=False):
                inner.append(inside)
            elif wanted.fullmatch(name):
                yield _file(name, entry)
        todo += reversed(inner)


def _file(name: str, entry: "os.DirEntry[bytes]") -> File:
    path = os.fsdecode(entry.path)
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return File(name, path, 0, "unreadable")
    is_file = stat.S_ISREG(found.st_mode)  # no pipe, no device
    return File(name, path, found.st_size, None if is_file else "unreadable")


def pattern(glob: str) -> str:
    """A glob as a regular expression; `**/` stands for any folders, `*` stays in one."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        parts.get(piece, re.escape(piece)) for piece in re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    )


def recorded(name: bytes | str) -> str:
    """A name as the record has it: relative, printable, short. Nothing is opened by it."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = text.encode("utf-8", "backslashreplace").decode().replace("\\", "/")
    parts = [CONTROL.sub("?", part) for part in text.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts)[-LONGEST_NAME:] or "?"


def licence_of(name: str, folder_licences: Mapping[str, str]) -> str:
    """The licence of the longest start of a path that conf names; empty: of none."""
    fitting = [start for start in folder_licences if name.startswith(start)]
    return folder_licences[max(fitting, key=len)] if fitting else ""


def read(file: File, licence: str, *, max_bytes: int) -> Source:
    """The text of a file, or why there is none."""
    if file.fault is not None:
        return Source(file.name, None, licence, file.fault)
    if file.num_bytes > max_bytes:
        return Source(file.name, None, licence, "too_large")
    try:
        # the file may have become a link since the walk
        with open(os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:  # noqa: PTH123
            raw = opened.read(max_bytes + 1)
    except OSError:
        return Source(file.name, None, licence, "unreadable")
    if len(raw) > max_bytes:
        return Source(file.name, None, licence, "too_large")
    text = decoded(raw)
    return Source(file.name, text, licence, "encoding" if text is None else None)


def decoded(raw: bytes) -> str | None:
    """The text by UTF-8, or by the encoding that its first two lines state; None by neither."""
    try:
        return plain(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        pass
    cookie = COOKIE.search(b"\n".join(raw.split(b"\n", 2)[:2]))
    if cookie is None:
        return None
    try:
        codec = codecs.lookup(cookie[1].decode("ascii")).name.replace("-", "_")
        return plain(raw.decode(codec)) if CODECS.fullmatch(codec) else None
    except (LookupError, UnicodeDecodeError):
        return None


def plain(text: str) -> str:
    """The text with the line ends of Unix."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
