"""Batches of a mixture as a pure function of (seed, step).

    sampler = Sampler(mixture_folder, {"books": ..., "code": ...}, context_tokens=128, seed=0)
    ids = sampler.batch(step, sequences)                     # int64 [sequences, context_tokens + 1]
    mine = sampler.batch(step, sequences, slice(rank, None, ranks))        # the rows of one rank
    names = [sampler.sources[row] for row in sampler.rows(step, sequences)]
    digest = sampler.digest(sampler.genesis if step == 0 else digest, step, sequences)

`step` counts optimizer steps and `sequences` is the batch of one of them over all ranks and
accumulation, so the order knows nothing of ranks, workers or micro-batches. There is no state to
save but the step.

The digest chains, for every sequence, its source and the position of its first token in the
source's stream of documents. The identity of that stream, every document's name and tokens in
order, is in the first link, so source and position stand for one document and a place in it
(`hornbook trace` names them), and a stream that is cut into other shards gives the same digest.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError
from hornbook.mixture.permutation import Permutation
from hornbook.mixture.schedule import period, shares
from hornbook.tokens.windows import Windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EVERYTHING = slice(None)
# draws are made this many at a time, because numpy costs the same for one and for a thousand
_BLOCK_SEQUENCES = 16384
_MOST_BLOCKS = 4


class Sampler:
    """Sequences in the declared proportions, each source in a seeded order of its own per epoch.

    Attributes:
        sources: Corpus names, sorted; `rows` gives indices into them.
        windows: Sequences of one epoch of each source, in the order of `sources`.
        genesis: The digest before the first step; depends on mixture, tokens, context and seed.
    """

    def __init__(
        self,
        mixture: Path,
        folders: Mapping[str, Path],
        *,
        context_tokens: int,
        seed: int,
    ) -> None:
        """Open the token folders of the mixture's corpora.

        Args:
            mixture: Output folder of a stage `mixture@VARIANT`.
            folders: Output folder of `tokens@CORPUS` for at least each corpus of the mixture.
            context_tokens: Inputs of a sequence; a row has one token more.
            seed: Of the training run; the manifest's order seed enters as well.

        Raises:
            ArtifactError: A corpus is absent, is not the one the mixture was made from, or is
                shorter than one sequence.
        """
        import numpy as np

        manifest = read_json(mixture / "mixture.json")
        declared = {source["corpus"]: source for source in manifest["sources"]}
        self.sources = tuple(sorted(declared))
        self._seed, self._order_seed = seed, manifest["order_seed"]
        for corpus in self.sources:
            _require_same(mixture, declared[corpus], folders)
        self._readers = [Windows(folders[c], "train", context_tokens) for c in self.sources]
        limits = [declared[corpus].get("tokens") for corpus in self.sources]
        self.windows = tuple(
            reader.count if limit is None else min(reader.count, limit // context_tokens)
            for reader, limit in zip(self._readers, limits, strict=True)
        )
        for corpus, count in zip(self.sources, self.windows, strict=True):
            if not count:
                raise ArtifactError(
                    f"tokens of {corpus} at {folders[corpus]} do not fill one sequence of "
                    f"{context_tokens} tokens; make more of it or take it out of the mixture"
                )
        portions = shares({corpus: declared[corpus]["weight"] for corpus in self.sources})
        self._period = period(list(portions.values()))
        self._quotas = np.bincount(self._period, minlength=len(self.sources))
        self._before = np.empty_like(self._period)
        for source, quota in enumerate(self._quotas):
            self._before[self._period == source] = np.arange(quota)
        self._blocks: dict[int, NDArray[np.int64]] = {}
        self._context_tokens = context_tokens
        self.genesis = _genesis(manifest, context_tokens, seed)

    def batch(self, step: int, sequences: int, part: slice = _EVERYTHING) -> "NDArray[np.int64]":
        """Token ids of the rows `part` of a step's batch, [rows, context_tokens + 1]."""
        import numpy as np

        source, window = self.draws(step, sequences)
        source, window = source[part], window[part]
        found = np.empty((len(source), self._context_tokens + 1), dtype=np.int64)
        for number, reader in enumerate(self._readers):
            rows = np.flatnonzero(source == number)
            if len(rows):
                starts = window[rows] * self._context_tokens
                found[rows] = reader.read(starts, self._context_tokens + 1)
        return found

    def rows(self, step: int, sequences: int) -> "NDArray[np.int64]":
        """Which source each row of a step's batch is from, as indices into `sources`."""
        return self.draws(step, sequences)[0]

    def draws(self, step: int, sequences: int) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
        """Source and window number of each row of a step's batch."""
        import numpy as np

        first, last = step * sequences, (step + 1) * sequences
        blocks = range(first // _BLOCK_SEQUENCES, (last - 1) // _BLOCK_SEQUENCES + 1)
        if len(blocks) == 1:
            drawn = self._block(blocks[0])
        else:
            drawn = np.concatenate([self._block(number) for number in blocks], axis=1)
        offset = blocks[0] * _BLOCK_SEQUENCES
        source, window = drawn[:, first - offset : last - offset]
        return source, window

    def digest(self, previous: str, step: int, sequences: int) -> str:
        """The digest after a step: a hash chain over everything drawn since `genesis`.

        A resumed or differently sharded run that draws the same continues the same chain.
        """
        source, window = self.draws(step, sequences)
        drawn = _bytes(source) + _bytes(window * self._context_tokens)
        return hashlib.sha256(previous.encode() + drawn).hexdigest()

    def replay(self, steps: int, sequences: int, *, first: int = 0, digest: str = "") -> str:
        """The digest after `steps` steps, from nothing but what is declared.

        Where `digest` after `first` steps is known, it goes on from there. The 71,500 steps of
        2,048 sequences of phi-1.5-web take half a minute.
        """
        digest = digest or self.genesis
        for step in range(first, steps):
            digest = self.digest(digest, step, sequences)
        return digest

    def _block(self, number: int) -> "NDArray[np.int64]":
        """Source and window of `_BLOCK_SEQUENCES` consecutive draws, [2, draws]."""
        found = self._blocks.get(number)
        if found is None:
            found = self._draw(number * _BLOCK_SEQUENCES, _BLOCK_SEQUENCES)
            if len(self._blocks) >= _MOST_BLOCKS:
                self._blocks = {}
            self._blocks[number] = found
        return found

    def _draw(self, first: int, count: int) -> "NDArray[np.int64]":
        import numpy as np

        rounds, place = np.divmod(np.arange(first, first + count), len(self._period))
        source = self._period[place]
        ordinal = rounds * self._quotas[source] + self._before[place]
        epoch, position = np.divmod(ordinal, np.array(self.windows)[source])
        window = np.empty_like(position)
        for number, corpus in enumerate(self.sources):
            for turn in np.unique(epoch[source == number]):
                rows = np.flatnonzero((source == number) & (epoch == turn))
                order = Permutation(
                    self.windows[number], self._order_seed, str(self._seed), corpus, str(turn)
                )
                window[rows] = self._chosen(number, order(position[rows]))
        return np.stack([source, window])

    def _chosen(self, number: int, places: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Windows of a source of which only some are used: a seeded choice, the same each epoch."""
        every = self._readers[number].count
        if self.windows[number] == every:
            return places
        return Permutation(every, self._order_seed, self.sources[number], "used")(places)


def _require_same(mixture: Path, source: Mapping[str, str], folders: Mapping[str, Path]) -> None:
    corpus = source["corpus"]
    if corpus not in folders:
        raise ArtifactError(
            f"{mixture}/mixture.json draws from {corpus}, whose tokens were not given; given are "
            f"{', '.join(sorted(folders)) or 'none'}"
        )
    found = read_json(folders[corpus] / "meta.json")["sha256"]
    if found != source["sha256"]:
        raise ArtifactError(
            f"{mixture}/mixture.json was made from tokens of {corpus} with sha256 "
            f"{source['sha256'][:12]}, {folders[corpus]} has {found[:12]}; run: dvc repro "
            f"mixture@{mixture.name}"
        )


def _bytes(values: "NDArray[np.int64]") -> bytes:
    """Whole numbers as little-endian bytes."""
    return values.astype("<i8").tobytes()


def _genesis(manifest: Mapping[str, Any], context_tokens: int, seed: int) -> str:
    deciding = ("corpus", "weight", "tokens", "sha256")
    content = {
        "context_tokens": context_tokens,
        "order_seed": manifest["order_seed"],
        "seed": seed,
        "sources": [[source.get(key) for key in deciding] for source in manifest["sources"]],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
