"""What documents share with benchmark items, found with whole arrays of words at a time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hornbook.clean.benchmark import Grams, Index, may_have
from hornbook.clean.config import Decontaminate
from hornbook.clean.words import runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# the strongest first: a document is explained by the first kind that holds
KINDS = ("long", "share", "edited", "program", "short")
LONG, SHARE, EDITED, PROGRAM, SHORT = range(len(KINDS))
_SLOTS, _ODD = 1 << 17, 0x9E3779B1
BAND = 8  # words by which insertions may have moved a word of an edited copy


@dataclass(frozen=True)
class Batch:
    """The words of several documents, one after another; `starts` has the end of the last."""

    words: "NDArray[np.uint64]"
    starts: "NDArray[np.int64]"

    def document(self, places: "NDArray[Any]") -> "NDArray[Any]":
        """The document of each word."""
        import numpy as np

        return np.searchsorted(self.starts, places, side="right") - 1


@dataclass(frozen=True)
class Matches:
    """Overlaps of documents with texts, by number; `place` counts words of the document."""

    document: "NDArray[np.int64]"
    text: "NDArray[np.int64]"
    kind: "NDArray[np.int64]"
    place: "NDArray[np.int64]"
    length: "NDArray[np.int64]"
    share: "NDArray[np.float64]"  # of the text

    def __len__(self) -> int:
        """How many there are."""
        return len(self.document)


@dataclass(frozen=True)
class Touched:
    """Each counted n-gram of an item that a document has."""

    document: "NDArray[np.int64]"
    item: "NDArray[np.int64]"
    position: "NDArray[np.int64]"


@dataclass(frozen=True)
class _Hits:
    """Every place at which a document has a run of a text, sorted as each finder needs it."""

    document: "NDArray[np.int64]"
    text: "NDArray[np.int64]"
    place: "NDArray[np.int64]"  # in the batch
    position: "NDArray[np.int64]"  # in the text
    counted: "NDArray[np.bool_]"

    def at(self, chosen: "NDArray[Any]") -> "_Hits":
        return _Hits(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.document)


def find(index: Index, batch: Batch, settings: Decontaminate) -> tuple[Matches, Touched]:
    """All that the settings call an overlap, the strongest of a document first."""
    import numpy as np

    hashes = runs(batch.words, index.seeds.length)
    known = may_have(index.known, hashes)
    places = np.flatnonzero(known)
    seeds = _hits(index.seeds, batch, places, hashes[places])
    shorts = _whole(index, batch, _hits(index.heads, batch, places, hashes[places]))
    # an n-gram that an item has begins and ends with a seed that some item has
    length, apart = index.ngrams.length, index.ngrams.length - index.seeds.length
    places = np.flatnonzero(known[: max(len(known) - apart, 0)] & known[apart:])
    words = batch.words[(places[:, None] + np.arange(length)).ravel()]
    hits = _hits(index.ngrams, batch, places, runs(words, length)[::length])
    parts = [
        _long(index, batch, hits, settings.long_words),
        _shared(index, batch, hits, settings.share),
        _edited(index, batch, seeds, settings),
        _matches(SHORT, batch, shorts, index.texts.lengths[shorts.text], shorts.place * 0 + 1.0),
    ]
    joined = [np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)]
    order = np.lexsort((joined[3], joined[1], joined[2], joined[0]))
    touched = [_touched(index, one) for one in (hits.at(hits.counted), shorts)]
    both = [np.concatenate(columns) for columns in zip(*map(_columns, touched), strict=True)]
    return Matches(*(one[order] for one in joined)), Touched(*both)


def _columns(one: Matches | Touched) -> "list[NDArray[Any]]":
    return [getattr(one, name) for name in one.__dataclass_fields__]


def _hits(
    grams: Grams, batch: Batch, places: "NDArray[Any]", hashes: "NDArray[np.uint64]"
) -> _Hits:
    near, keys = grams.find(hashes)
    places = places[near]
    document = batch.document(places)
    # a run must not reach over the end of its document
    inside = places + grams.length <= batch.starts[document + 1]
    places, keys, document = places[inside], keys[inside], document[inside]
    which, owner = grams.owners(keys)
    return _Hits(
        document=document[which],
        text=grams.text[owner].astype("int64"),
        place=places[which],
        position=grams.position[owner].astype("int64"),
        counted=grams.counted[keys[which]],
    )


def _whole(index: Index, batch: Batch, hits: _Hits) -> _Hits:
    """Those of the heads of short texts that the rest of the text follows."""
    import numpy as np

    lengths = index.texts.lengths[hits.text]
    fits = hits.place + lengths <= batch.starts[hits.document + 1]
    hits, lengths = hits.at(np.flatnonzero(fits)), lengths[fits]
    for step in range(index.heads.length, int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > step)
        same = np.ones(len(hits), dtype=bool)
        word = index.texts.words[index.texts.starts[hits.text[longer]] + step]
        same[longer] = batch.words[hits.place[longer] + step] == word
        hits, lengths = hits.at(np.flatnonzero(same)), lengths[same]
    return hits


def _touched(index: Index, hits: _Hits) -> Touched:
    texts = index.texts
    item = texts.item[hits.text].astype("int64")
    # a short question of an item that has longer texts says too little of it
    kept = texts.is_short[hits.text] <= index.short_items[item]
    return Touched(hits.document[kept], item[kept], (texts.offset[hits.text] + hits.position)[kept])


def _long(index: Index, batch: Batch, hits: _Hits, least: int) -> Matches:
    """Runs of at least `least` words: consecutive n-grams of one text."""
    import numpy as np

    hits = hits.at(np.lexsort((hits.place, hits.place - hits.position, hits.text)))
    new = np.ones(len(hits), dtype=bool)
    new[1:] = (
        (hits.text[1:] != hits.text[:-1])
        | (hits.place[1:] != hits.place[:-1] + 1)
        | (hits.position[1:] != hits.position[:-1] + 1)
    )
    begin = np.flatnonzero(new)
    length = np.diff(np.append(begin, len(hits))) + index.ngrams.length - 1
    counted = np.add.reduceat(hits.counted.astype(int), begin) if len(begin) else begin
    chosen = (counted > 0) & (length >= least)
    length, found = length[chosen], hits.at(begin[chosen])
    return _matches(LONG, batch, found, length, length / index.texts.lengths[found.text])


def _shared(index: Index, batch: Batch, hits: _Hits, least: float) -> Matches:
    """Texts of whose n-grams a document has at least the share `least`, anywhere."""
    import numpy as np

    hits = hits.at(np.lexsort((hits.place, hits.position, hits.text, hits.document)))
    pair = np.ones(len(hits), dtype=bool)
    pair[1:] = (hits.text[1:] != hits.text[:-1]) | (hits.document[1:] != hits.document[:-1])
    distinct = pair.copy()
    distinct[1:] |= hits.position[1:] != hits.position[:-1]
    begin = np.flatnonzero(pair)
    if not len(begin):
        return _matches(SHARE, batch, hits, begin, begin.astype(float))
    found = np.add.reduceat(distinct.astype(int), begin)
    counted = np.add.reduceat(hits.counted.astype(int), begin)
    words = index.texts.lengths[hits.text[begin]]
    share = found / (words - index.ngrams.length + 1)
    chosen = (share >= least) & (counted > 0)
    begin = begin[chosen]
    return _matches(SHARE, batch, hits.at(begin), words[chosen], share[chosen])


def _edited(index: Index, batch: Batch, hits: _Hits, settings: Decontaminate) -> Matches:
    """Texts most of whose words a document has at their place, or few words from it.

    `k` edited words leave all but `k * seed_words` of the seeds of a text, so fewer shared seeds
    than that within the length of the text rule it out before words are compared.
    """
    import numpy as np

    lengths = index.texts.lengths
    edits = np.maximum((lengths[hits.text] * settings.edited.edits).astype(int), 1)
    least = np.maximum(index.seeds_of_text[hits.text] - edits * index.seeds.length, 1)
    # most hits are alone with their text in a document: found without sorting them
    pair = hits.document * len(lengths) + hits.text
    slot = (pair * _ODD) & (_SLOTS - 1)
    kept = np.flatnonzero(np.bincount(slot, minlength=_SLOTS)[slot] >= least)
    kept = kept[np.argsort(pair[kept], kind="stable")]
    hits, edits, least = hits.at(kept), edits[kept], least[kept]
    last = np.arange(len(hits)) + least - 1
    inside = np.flatnonzero(last < len(hits))
    last = last[inside]
    chosen = (
        (hits.text[last] == hits.text[inside])
        & (hits.document[last] == hits.document[inside])
        & (hits.place[last] - hits.place[inside] < lengths[hits.text[inside]] + edits[inside])
    )
    inside = inside[chosen]
    # candidates on one diagonal are one
    diagonal = np.stack([hits.text[inside], (hits.place - hits.position)[inside]])
    once = np.sort(np.unique(diagonal, axis=1, return_index=True)[1])
    found, edits = hits.at(inside[once]), edits[inside[once]]
    share, weighted = _aligned(index, batch, found, np.minimum(edits, BAND))
    kept = (share >= settings.edited.share) & (weighted >= settings.edited.weighted_share)
    found = found.at(kept)
    return _matches(EDITED, batch, found, lengths[found.text], share[kept])


def _aligned(
    index: Index, batch: Batch, found: _Hits, band: "NDArray[np.int64]"
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """The share of a text's words, plain and weighted, that stand near where they should."""
    import numpy as np

    lengths = index.texts.lengths[found.text]
    owner = np.repeat(np.arange(len(found)), lengths)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    word = index.texts.starts[found.text][owner] + step
    wanted = index.texts.words[word]
    place = (found.place - found.position)[owner] + step
    low, high = batch.starts[found.document][owner], batch.starts[found.document + 1][owner]
    reach = band[owner]
    same = np.zeros(len(owner), dtype=bool)
    for shift in range(-BAND, BAND + 1):
        at = place + shift
        inside = (at >= low) & (at < high) & (reach >= abs(shift))
        same[inside] |= batch.words[at[inside]] == wanted[inside]
    weights = index.texts.weights[word]
    total = np.bincount(owner, weights, minlength=len(found))
    return (
        np.bincount(owner[same], minlength=len(found)) / lengths,
        np.bincount(owner[same], weights[same], minlength=len(found)) / np.maximum(total, 1e-9),
    )


def _matches(
    kind: int, batch: Batch, hits: _Hits, length: "NDArray[Any]", share: "NDArray[Any]"
) -> Matches:
    import numpy as np

    place = hits.place - hits.position if kind == EDITED else hits.place
    place = np.maximum(place - batch.starts[hits.document], 0)
    kinds = np.full(len(hits), kind)
    return Matches(hits.document, hits.text, kinds, place, length, share)
