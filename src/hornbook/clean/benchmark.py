"""Benchmark items as arrays: their words, their runs of words, and where each run is.

An item has several texts: its question, its choices, its solutions. A text of fewer than
`ngram_words` words is joined with what it asks or answers; an item that is shorter even so is
looked for as a whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.clean.config import Decontaminate
from hornbook.clean.words import hash_words, runs, words
from hornbook.evaluate.texts import ItemTexts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Grams:
    """Runs of words of one length, by their hash, with the texts and places that have them."""

    length: int
    keys: "NDArray[np.uint64]"  # sorted, each once
    offsets: "NDArray[np.int64]"  # of a key's owners, and the end of the last
    text: "NDArray[np.int32]"
    position: "NDArray[np.int32]"  # of the run's first word in its text
    counted: "NDArray[np.bool_]"  # by key: it belongs to few items, hence is no phrase of many
    present: "NDArray[np.uint8]"  # a bit for each of the first bits of a hash: some key has them
    first: "NDArray[np.int32]"  # by fewer bits: where the keys that have them begin

    def find(self, hashes: "NDArray[np.uint64]") -> "tuple[NDArray[Any], NDArray[Any]]":
        """Which of `hashes` are known, and the number of the key of each of these."""
        import numpy as np

        near = np.flatnonzero(may_have(self.present, hashes))
        wanted = hashes[near]
        bucket = (wanted >> np.uint64(_unused_bits(self.first))).astype(np.int64)
        at, end = self.first[bucket], self.first[bucket + 1]
        key = np.full(len(near), -1, dtype=np.int64)
        open_ = np.flatnonzero(at < end)
        while len(open_):
            same = self.keys[at[open_]] == wanted[open_]
            key[open_[same]] = at[open_[same]]
            open_ = open_[~same]
            at[open_] += 1
            open_ = open_[at[open_] < end[open_]]
        found = key >= 0
        return near[found], key[found]

    def owners(self, keys: "NDArray[Any]") -> "tuple[NDArray[Any], NDArray[Any]]":
        """For each owner of each key: which of `keys` it is of, and its place in `text`."""
        import numpy as np

        counts = self.offsets[keys + 1] - self.offsets[keys]
        which = np.repeat(np.arange(len(keys)), counts)
        starts = np.cumsum(counts) - counts
        return which, self.offsets[keys][which] + np.arange(len(which)) - starts[which]


def may_have(present: "NDArray[np.uint8]", hashes: "NDArray[np.uint64]") -> "NDArray[np.bool_]":
    """Whether the table has the bits of each hash: one look at a byte ends most of them."""
    import numpy as np

    place = (hashes >> np.uint64(_unused_bits(present))).view(np.int64)
    return (present.take(place, mode="clip") & _bit(hashes)) != 0


def _bit(hashes: "NDArray[np.uint64]") -> "NDArray[np.uint8]":
    """Which of the bits of a byte a hash has, by its last bits."""
    import numpy as np

    return np.left_shift(np.uint8(1), hashes.astype(np.uint8) & np.uint8(7))


def _present(hashes: "NDArray[np.uint64]") -> "NDArray[np.uint8]":
    """The table of `may_have`: 8 to 16 bits a hash, 4 MB at most, which stay in the cache."""
    import numpy as np

    bytes_bits = min(max(len(hashes), 2).bit_length(), 22)
    present = np.zeros(1 << bytes_bits, dtype=np.uint8)
    place = (hashes >> np.uint64(_unused_bits(present))).view(np.int64)
    bits = _bit(hashes)
    for one in range(8):
        mask = np.uint8(1 << one)
        present[place[bits == mask]] |= mask
    return present


@dataclass(frozen=True)
class Texts:
    """The words of all texts, one after another."""

    words: "NDArray[np.uint64]"
    weights: "NDArray[np.float32]"  # of each word: the rarer among the items, the more; or none
    starts: "NDArray[np.int64]"  # and the end of the last
    item: "NDArray[np.int32]"  # the item that a text is of
    offset: "NDArray[np.int32]"  # where a text begins among the words of its item
    is_short: "NDArray[np.bool_]"  # shorter than an n-gram: matched whole, reported apart

    @cached_property
    def lengths(self) -> "NDArray[np.int64]":
        """Words of each text."""
        return self.starts[1:] - self.starts[:-1]


@dataclass(frozen=True)
class Item:
    """A benchmark item; it can be looked for when `ngrams`, its runs that count, are not 0."""

    benchmark: str
    item_id: str
    report_only: bool
    ngrams: int
    is_short: bool  # none of its texts has a whole n-gram


@dataclass(frozen=True)
class Index:
    """Everything that is looked for in documents."""

    items: Sequence[Item]
    texts: Texts
    ngrams: Grams  # of texts that have a whole n-gram
    seeds: Grams  # shorter runs, from which edited copies are found
    heads: Grams  # the first words of each short text, as many as a seed has
    known: "NDArray[np.uint8]"  # as `present` of runs as long as a seed of any text

    @cached_property
    def short_items(self) -> "NDArray[np.bool_]":
        """Items that are looked for as a whole, because none of their texts has an n-gram."""
        import numpy as np

        return np.array([item.is_short for item in self.items], dtype=bool)

    @cached_property
    def first_text(self) -> "NDArray[np.int64]":
        """The number of the first text of each item."""
        import numpy as np

        return np.searchsorted(self.texts.item, np.arange(len(self.items)))

    @cached_property
    def counted_of_text(self) -> "NDArray[np.bool_]":
        """Whether a text has an n-gram that counts, or is a short one."""
        import numpy as np

        counted = np.repeat(self.ngrams.counted, np.diff(self.ngrams.offsets))
        long = np.bincount(self.ngrams.text[counted], minlength=len(self.texts.item)) > 0
        return long | self.texts.is_short

    @cached_property
    def seeds_of_text(self) -> "NDArray[np.int64]":
        """How many seeds each text has."""
        import numpy as np

        return np.bincount(self.seeds.text, minlength=len(self.texts.item))


class _Text(NamedTuple):
    text: str
    words: tuple[str, ...]
    is_short: bool
    is_sought_edited: bool


def texts_of(item: ItemTexts, settings: Decontaminate) -> list[_Text]:
    """The texts of an item that are looked for, each once."""
    least, short = settings.ngram_words, settings.short.least_words

    def made(text: str, *, edited: int, is_short: bool = False) -> _Text:
        listed = tuple(words(text))
        # code and short answers repeat what others say with a word changed; so do rows of numbers
        sought = len(listed) >= edited and sum(map(is_telling, listed)) >= least // 2
        return _Text(text, listed, is_short, sought)

    never, question = 1 << 30, made(item.question, edited=least)
    found = [question, *(made(one, edited=settings.long_words) for one in item.choices)]
    found += [made(one, edited=settings.long_words) for one in item.further]
    found += [made(one, edited=never) for one in item.code]
    joined: list[str] = []
    if len(question.words) < least:
        joined = [f"{item.question} {choice}" for choice in item.choices]
        found += [made(one, edited=least) for one in joined]
    found = [one for one in found if len(one.words) >= least]
    if short <= len(question.words) < least:
        found.append(made(item.question, edited=never, is_short=True))
    elif not found:
        found = [made(one, edited=never, is_short=True) for one in joined]
        found = [one for one in found if len(one.words) >= short]
    unique: dict[tuple[str, ...], _Text] = {}
    for one in sorted(found, key=lambda one: not one.is_sought_edited):
        unique.setdefault(one.words, one)
    return list(unique.values())


@cache
def is_telling(word: str) -> bool:
    """It is more than a number or a single letter."""
    return sum(map(str.isalpha, word)) > 1


def build_index(items: Iterable[ItemTexts], settings: Decontaminate) -> Index:
    """The index of all items, in the order of benchmark and item."""
    import numpy as np

    ordered = sorted(items, key=lambda one: (one.benchmark, one.item_id))
    looked = [texts_of(one, settings) for one in ordered]
    listed = [text for texts in looked for text in texts]
    hashed = hash_words([text.text for text in listed])
    starts = hashed.offsets.astype(np.int64)
    of_item = np.repeat(np.arange(len(ordered)), [len(texts) for texts in looked])
    first_text = np.searchsorted(of_item, of_item)
    telling = np.array([is_telling(word) for text in listed for word in text.words], dtype=bool)
    texts = Texts(
        words=hashed.hashes,
        weights=_weights(hashed.hashes) * telling,
        starts=starts,
        item=of_item.astype(np.int32),
        offset=(starts[:-1] - starts[first_text]).astype(np.int32),
        is_short=np.array([text.is_short for text in listed], dtype=bool),
    )
    _, benchmark = np.unique([one.benchmark for one in ordered], return_inverse=True)
    every = _grams(texts, np.flatnonzero(~texts.is_short), settings.ngram_words)
    ngrams = _counting(every, texts, benchmark, settings.common_items)
    texts.weights[_covered(ngrams, texts)] = 0  # a phrase of many items tells nothing of one
    ngrams = _telling(ngrams, texts, telling)
    sought = np.array([text.is_sought_edited for text in listed], dtype=bool)
    seeds = _grams(texts, np.flatnonzero(sought), settings.edited.seed_words)
    heads = _grams(texts, np.flatnonzero(texts.is_short), settings.edited.seed_words)
    return Index(
        items=_items(ordered, texts, ngrams, settings),
        texts=texts,
        ngrams=ngrams,
        seeds=_few(seeds, settings.edited.common_texts),
        heads=_where(heads, heads.position == 0),
        # and of runs over the end of a text, which do no harm
        known=_present(runs(texts.words, settings.edited.seed_words)),
    )


def _weights(flat: "NDArray[np.uint64]") -> "NDArray[np.float32]":
    """log(words / occurrences) of each word: what its presence tells."""
    import numpy as np

    _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    return np.log(max(len(flat), 2) / counts).astype(np.float32)[inverse]


def _grams(texts: Texts, chosen: "NDArray[Any]", length: int) -> Grams:
    """All runs of `length` words of the chosen texts."""
    import numpy as np

    starts, ends = texts.starts[:-1][chosen], texts.starts[1:][chosen]
    counts = np.maximum(ends - starts - length + 1, 0)
    which = np.repeat(np.arange(len(chosen)), counts)
    position = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    hashes = runs(texts.words, length)[starts[which] + position]
    order = np.lexsort((position, chosen[which], hashes))
    keys, first = np.unique(hashes[order], return_index=True)
    return Grams(
        length=length,
        keys=keys,
        offsets=np.append(first, len(order)).astype(np.int64),
        text=chosen[which][order].astype(np.int32),
        position=position[order].astype(np.int32),
        counted=np.ones(len(keys), dtype=bool),
        **_tables(keys),
    )


def _telling(grams: Grams, texts: Texts, lettered: "NDArray[np.bool_]") -> Grams:
    """The same, with rows of numbers and single letters not counted."""
    import numpy as np

    sums = np.concatenate([[0], np.cumsum(lettered)])
    first = grams.offsets[:-1]
    start = texts.starts[grams.text[first]] + grams.position[first]
    telling = sums[start + grams.length] - sums[start] >= grams.length // 2
    return replace(grams, counted=grams.counted & telling)


def _counting(grams: Grams, texts: Texts, benchmark: "NDArray[Any]", common_items: int) -> Grams:
    """The same, with those not counted that too many items of one benchmark have."""
    import numpy as np

    key = np.repeat(np.arange(len(grams.keys)), np.diff(grams.offsets))
    item = texts.item[grams.text].astype(np.int64)
    pairs = key * (len(benchmark) + 1) + item
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # sorted, as items are in the order of texts
    of, owner = np.divmod(pairs, len(benchmark) + 1)
    groups = int(benchmark.max(initial=0)) + 1
    shared, counts = np.unique(of * groups + benchmark[owner], return_counts=True)
    counted = grams.counted.copy()
    counted[shared[counts > common_items] // groups] = False
    return replace(grams, counted=counted)


def _covered(grams: Grams, texts: Texts) -> "NDArray[np.bool_]":
    """The words of all texts that are in a run that does not count."""
    import numpy as np

    owner = np.flatnonzero(np.repeat(~grams.counted, np.diff(grams.offsets)))
    first = texts.starts[grams.text[owner]] + grams.position[owner]
    covered = np.zeros(len(texts.words), dtype=bool)
    for step in range(grams.length):
        covered[first + step] = True
    return covered


def _few(grams: Grams, most: int) -> Grams:
    """The same without runs that more than `most` texts have; they would lead anywhere."""
    import numpy as np

    counts = np.diff(grams.offsets)
    return _where(grams, np.repeat(counts <= most, counts))


def _where(grams: Grams, kept: "NDArray[np.bool_]") -> Grams:
    """The same with some of the owners, and the keys that still have one."""
    import numpy as np

    key = np.repeat(np.arange(len(grams.keys)), np.diff(grams.offsets))[kept]
    left, counts = np.unique(key, return_counts=True)
    return replace(
        grams,
        keys=grams.keys[left],
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        text=grams.text[kept],
        position=grams.position[kept],
        counted=grams.counted[left],
        **_tables(grams.keys[left]),
    )


def _tables(keys: "NDArray[np.uint64]") -> dict[str, Any]:
    import numpy as np

    bits = max(len(keys), 2).bit_length()
    heads = (keys >> np.uint64(64 - bits)).astype(np.int64)
    first = np.searchsorted(heads, np.arange((1 << bits) + 1)).astype(np.int32)
    return {"present": _present(keys), "first": first}


def _unused_bits(table: "NDArray[Any]") -> int:
    """By how much a hash is shifted to be a place in a table; one may have an end behind it."""
    return 65 - len(table).bit_length()


def _items(
    ordered: Sequence[ItemTexts], texts: Texts, ngrams: Grams, settings: Decontaminate
) -> list[Item]:
    import numpy as np

    counted = np.repeat(ngrams.counted, np.diff(ngrams.offsets))
    long = np.bincount(texts.item[ngrams.text[counted]], minlength=len(ordered))
    short = np.bincount(texts.item[texts.is_short], minlength=len(ordered))
    has_long = np.bincount(texts.item[~texts.is_short], minlength=len(ordered)) > 0
    return [
        Item(
            benchmark=one.benchmark,
            item_id=one.item_id,
            report_only=any(fnmatchcase(one.benchmark, glob) for glob in settings.report_only),
            ngrams=int(long[number] if has_long[number] else short[number]),
            is_short=not has_long[number],
        )
        for number, one in enumerate(ordered)
    ]
