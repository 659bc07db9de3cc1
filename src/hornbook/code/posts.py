"""Rows of a Stack Exchange dump: `Posts.xml`, packed or not, and its parquet form.

The rows are cut out of the bytes and never given to an XML parser, so there are no entities to
expand, one damaged row costs one row, and a file can be begun anywhere.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.code import licences
from hornbook.code.packed import opened

BLOCK = 1 << 20
ROW, NEXT = b"<row", b"<"
DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
PROLOGUE_BYTES = 1 << 16
WHOLE = re.compile(r"(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>\s*")
ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
NO_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
NUMBERED = re.compile(r"&#(?:x([0-9a-fA-F]+)|(\d+));")
NOT_A_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
NAMED = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
TAG = re.compile(r"[^<>|,\s]+")
QUESTION, ANSWER = "1", "2"
# https://stackoverflow.com/help/licensing
LICENCE_FROM = (
    ("2018-05-02", "CC-BY-SA-4.0"),
    ("2011-04-08", "CC-BY-SA-3.0"),
    ("", "CC-BY-SA-2.5"),
)


class Piece(NamedTuple):
    """The attributes of a row with its length in bytes; `None`: the row is damaged."""

    row: dict[str, str] | None
    num_bytes: int


def has_declarations(path: Path) -> bool:
    """Whether a document declares types or entities, which no dump does and which may be a bomb."""
    with opened(path) as file:
        head = file.read(PROLOGUE_BYTES).partition(ROW)[0].upper()
    return any(mark in head for mark in DECLARATIONS)


def rows(file: io.BufferedIOBase, *, end: int | None, max_row_bytes: int) -> Iterator[Piece]:
    """The rows that begin before `end` bytes from here; None is the end of the file."""
    data, at, begun = b"", 0, 0  # `begun`: where `data` begins
    while True:
        start = data.find(ROW, at)
        stop = data.find(NEXT, start + len(ROW)) if start >= 0 else -1
        if start >= 0 and end is not None and begun + start >= end:
            return
        if stop >= 0:
            yield Piece(_attributes(data[start + len(ROW) : stop], max_row_bytes), stop - start)
            at = stop
            continue
        keep = start if start >= 0 else max(at, len(data) - len(ROW) + 1)
        if len(data) - keep - len(ROW) > max_row_bytes:  # no end in sight
            yield Piece(None, len(data) - keep)
            keep = len(data) - len(ROW) + 1
        block = file.read(BLOCK)
        begun, data, at = begun + keep, data[keep:] + block, 0
        if not block:
            if data.startswith(ROW):
                yield Piece(_attributes(data[len(ROW) :], max_row_bytes), len(data))
            return


def _attributes(raw: bytes, max_row_bytes: int) -> dict[str, str] | None:
    """The attributes of what stands between `<row` and the next tag; None if it is no whole row."""
    if len(raw) > max_row_bytes:
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not WHOLE.fullmatch(text) or ("&" in text and NO_ENTITY.search(text)):
        return None
    found: dict[str, str] = {}
    for name, double, single in ATTRIBUTE.findall(text):
        value = _unescaped(double or single)
        if value is None or name in found:
            return None
        found[name] = value
    return found


def _unescaped(value: str) -> str | None:
    if "&" in value:
        try:
            value = NUMBERED.sub(_character, value) if "&#" in value else value
        except ValueError:
            return None
        for entity, char in NAMED:
            value = value.replace(entity, char)
    return None if NOT_A_CHARACTER.search(value) else value


def _character(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16) if match[1] else int(match[2]))
    return "&amp;" if char == "&" else char  # the last replacement gives it back


class Post(NamedTuple):
    """A question or an answer."""

    id: int
    parent: int  # of an answer; 0: it is a question
    accepted: int  # answer of a question; 0: none
    score: int
    tags: tuple[str, ...]
    is_closed: bool
    title: str
    body: str
    licence: str


def post_of(row: Mapping[str, Any]) -> Post | None:
    """A row as a post; None for the other kinds, such as the wikis of tags.

    Raises:
        ValueError: The row lacks what a post has, or a number is none.
    """
    kind = str(row.get("PostTypeId") or "")
    if kind not in {QUESTION, ANSWER}:
        if not kind:
            raise ValueError("PostTypeId")
        return None
    parent = _number(row, "ParentId")
    if (kind == ANSWER) != (parent > 0):
        raise ValueError("ParentId")
    tags = row.get("Tags") or ""
    return Post(
        id=_number(row, "Id", least=1),
        parent=parent,
        accepted=_number(row, "AcceptedAnswerId"),
        score=_number(row, "Score", least=-(10**9)),
        tags=tuple(TAG.findall(tags) if isinstance(tags, str) else map(str, tags)),
        is_closed=bool(row.get("ClosedDate")),
        title=str(row.get("Title") or ""),
        body=str(row.get("Body") or ""),
        licence=licence_of(
            str(row.get("ContentLicense") or ""), str(row.get("CreationDate") or "")
        ),
    )


def _number(row: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = int(row.get(name) or 0)
    if not least <= value < 2**62:
        raise ValueError(name)
    return value


def licence_of(stated: str, created: str) -> str:
    """The licence that a post states, else the one under which its day's posts were given."""
    if stated:
        return licences.spdx(stated)
    return next(name for day, name in LICENCE_FROM if created[:10] >= day)


def renamed(columns: Sequence[str]) -> dict[str, str]:
    """Which column of a table is which attribute: `post_type_id` is `PostTypeId`."""
    known = {name.lower(): name for name in COLUMNS}
    plain = {name: name.lower().replace("_", "") for name in columns}
    return {name: known[short] for name, short in plain.items() if short in known}


COLUMNS = ("Id", "PostTypeId", "ParentId", "AcceptedAnswerId", "Score", "Tags", "ClosedDate",
           "Title", "Body", "ContentLicense", "CreationDate")  # fmt: skip
NEEDED = {"Id", "PostTypeId", "Score", "Title", "Body"}
