"""What a list of documents shares with benchmark items: words and programs, one answer."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from hornbook.artifacts import read_json, write_json
from hornbook.clean.benchmark import Grams, Index, Item, Texts, build_index
from hornbook.clean.config import Decontaminate
from hornbook.clean.overlap import KINDS, PROGRAM, SHORT, Batch, Matches, Touched, find
from hornbook.clean.programs import ProgramIndex
from hornbook.clean.words import hash_words, words
from hornbook.evaluate.texts import ItemTexts

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH_CHARACTERS = 1_000_000  # looked at together: arrays that fit the processor's cache
# begins with the hyphen, because a pattern that begins with a look behind is tried at each letter
_HYPHEN = re.compile(r"[-\u2010\u00ad](?<=[^\W\d_].)\r?\n[ \t]*(?=[^\W\d_])")
_SEEN_AS = dict.fromkeys(("\u00ad", "\u200b", "\u200c", "\u200d", "\ufeff"), "") | {
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl"
}  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """One item that a document holds something of."""

    item: int
    kind: str
    share: float  # of the text or program that was found
    excerpt: str  # of the document


@dataclass(frozen=True)
class Found:
    """What one document shares: items with the strongest kind of each, and n-grams by item."""

    hits: tuple[Hit, ...]
    touched: tuple[tuple[int, int], ...]  # (item, position of the n-gram among its words)


class Search:
    """The items of all benchmarks, looked for in documents."""

    def __init__(
        self, index: Index, programs: Sequence[tuple[int, str]], settings: Decontaminate
    ) -> None:
        self.index = index
        self.sources = programs
        self.settings = settings
        self.programs = ProgramIndex(programs, settings.programs)

    @classmethod
    def of(cls, items: Iterable[ItemTexts], settings: Decontaminate) -> "Search":
        """The search for these items."""
        ordered = sorted(items, key=lambda one: (one.benchmark, one.item_id))
        programs = [(number, one.program) for number, one in enumerate(ordered) if one.program]
        return cls(build_index(ordered, settings), programs, settings)

    def __call__(self, texts: Sequence[str]) -> list[Found]:
        """What each of the texts shares, in their order."""
        found: list[Found] = []
        first = characters = 0
        for number, text in enumerate(texts):
            characters += len(text)
            if characters >= BATCH_CHARACTERS:
                found += self._batch(texts[first : number + 1])
                first, characters = number + 1, 0
        return found + (self._batch(texts[first:]) if first < len(texts) else [])

    def _batch(self, raw: Sequence[str]) -> list[Found]:
        texts = [plain(text) for text in raw]
        hashed = hash_words(texts)
        batch = Batch(hashed.hashes, hashed.offsets.astype("int64"))
        matches, touched = find(self.index, batch, self.settings)
        by_document = _by_document(matches, touched, len(texts))
        return [
            self._one(text, unedited, *shared)
            for text, unedited, shared in zip(texts, raw, by_document, strict=True)
        ]

    def _one(
        self, text: str, raw: str, rows: list[tuple[Any, ...]], touched: list[tuple[int, int]]
    ) -> Found:
        best: dict[int, Hit] = {}
        listed = words(text) if rows else []
        for number, kind, place, length, share in rows:
            item = int(self.index.texts.item[number])
            # rows are sorted, the strongest kind first
            excerpt = " ".join(listed[place : place + length])
            best.setdefault(item, Hit(item, KINDS[kind], share, excerpt))
        for item, similarity, begin, end in self.programs.search(raw):
            if item not in best or best[item].kind == KINDS[SHORT]:
                best[item] = Hit(item, KINDS[PROGRAM], similarity, raw[begin:end])
        return Found(tuple(best.values()), tuple(touched))


def plain(text: str) -> str:
    """The text with words whole that were broken at the end of a line, or hold invisible marks."""
    is_ascii = text.isascii()
    if (
        "-\n" in text
        or ("\r" in text and "-\r\n" in text)
        or not (is_ascii or ("\u2010" not in text and "\u00ad" not in text))
    ):
        text = _HYPHEN.sub("", text)
    if not is_ascii:
        # looking for one letter is many times faster than a replacement that finds none
        for mark, letters in _SEEN_AS.items():
            if mark in text:
                text = text.replace(mark, letters)
    return text


def _by_document(
    matches: Matches, touched: Touched, count: int
) -> list[tuple[list[tuple[Any, ...]], list[tuple[int, int]]]]:
    found: list[tuple[list[tuple[Any, ...]], list[tuple[int, int]]]] = [
        ([], []) for _ in range(count)
    ]
    columns = (matches.document, matches.text, matches.kind, matches.place, matches.length)
    for document, *row in zip(*(c.tolist() for c in (*columns, matches.share)), strict=True):
        found[document][0].append(tuple(row))
    pairs = (touched.document.tolist(), touched.item.tolist(), touched.position.tolist())
    for document, item, position in zip(*pairs, strict=True):
        found[document][1].append((item, position))
    return found


def save(search: Search, folder: Path) -> None:
    """Files of the index that every worker maps into its memory."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    index = search.index
    arrays = {"known": index.known}
    for part in ("texts", "ngrams", "seeds", "heads"):
        value = getattr(index, part)
        arrays |= {f"{part}.{one.name}": getattr(value, one.name) for one in fields(value)}
    plain_values = {name: int(one) for name, one in arrays.items() if isinstance(one, int)}
    for name, array in arrays.items():
        if name not in plain_values:
            np.save(folder / f"{name}.npy", array)
    rows = [[getattr(item, one.name) for one in fields(Item)] for item in index.items]
    said = {"items": rows, "numbers": plain_values, "programs": list(search.sources)}
    said |= {"settings": TypeAdapter(Decontaminate).dump_python(search.settings, mode="json")}
    write_json(folder / "index.json", said)


def load(folder: Path) -> Search:
    """The search that `save` left."""
    import numpy as np

    said = read_json(folder / "index.json")

    def mapped(name: str) -> "NDArray[Any]":
        # a plain array of the same bytes: the slices of a memmap are made in Python, slowly
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))

    def part(kind: type[Any], name: str) -> Any:  # noqa: ANN401 - one of two dataclasses
        values = {
            one.name: said["numbers"].get(f"{name}.{one.name}", 0)
            if f"{name}.{one.name}" in said["numbers"]
            else mapped(f"{name}.{one.name}")
            for one in fields(kind)
        }
        return kind(**values)

    index = Index(
        items=[Item(*row) for row in said["items"]],
        texts=part(Texts, "texts"),
        **{name: part(Grams, name) for name in ("ngrams", "seeds", "heads")},
        known=mapped("known"),
    )
    settings = TypeAdapter(Decontaminate).validate_python(said["settings"])
    return Search(index, [(item, source) for item, source in said["programs"]], settings)
