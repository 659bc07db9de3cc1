"""Near-duplicates: MinHash signatures, candidates by equal bands, verified by true similarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hornbook.clean.config import Dedup

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Match:
    """A removed document, the kept one it repeats, and how similar they are (0 to 1)."""

    document: int
    kept: int
    similarity: float


def signatures(sets: "Sequence[NDArray[np.uint64]]", settings: Dedup) -> "NDArray[np.uint32]":
    """MinHash signatures, [documents, bands * rows]."""
    import numpy as np
    from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] - has no stubs

    slots = settings.bands * settings.rows
    if not sets:
        return np.empty((0, slots), dtype=np.uint32)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in sets])]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        np.concatenate(list(sets)), offsets, num_perm=slots, seed=settings.seed
    )
    return np.array(matrix.to_rows(), dtype=np.uint32)


def near_duplicates(
    sets: "Sequence[NDArray[np.uint64]]", first_own: int, settings: Dedup
) -> list[Match]:
    """Documents from `first_own` on that repeat an earlier kept one, in their order.

    Documents before `first_own` are of higher corpora and are kept whatever they repeat. A removed
    document removes no other, so every removal is explained by a text that is still there. Of
    several kept ones the most similar is named, of equally similar ones the first.
    """
    bands = _bands(signatures(sets, settings), settings)
    kept: dict[tuple[int, int], list[int]] = {}
    matches: list[Match] = []
    for document, keys in enumerate(bands):
        if not len(sets[document]):
            continue
        if document >= first_own:
            best = _best(document, keys, kept, sets, settings.threshold)
            if best is not None:
                matches.append(best)
                continue
        for band, key in enumerate(keys):
            kept.setdefault((band, key), []).append(document)
    return matches


def _best(
    document: int,
    keys: Sequence[int],
    kept: dict[tuple[int, int], list[int]],
    sets: "Sequence[NDArray[np.uint64]]",
    threshold: float,
) -> Match | None:
    candidates = {other for place in enumerate(keys) for other in kept.get(place, ())}
    best: Match | None = None
    for other in sorted(candidates):
        similarity = jaccard(sets[document], sets[other], at_least=threshold)
        if similarity >= threshold and (best is None or similarity > best.similarity):
            best = Match(document, other, similarity)
    return best


def jaccard(
    left: "NDArray[np.uint64]", right: "NDArray[np.uint64]", *, at_least: float = 0.0
) -> float:
    """Similarity of two sorted sets; 0 where their sizes alone put it below `at_least`."""
    import numpy as np

    if min(len(left), len(right)) < at_least * max(len(left), len(right)):
        return 0.0
    both = len(np.intersect1d(left, right, assume_unique=True))
    return both / (len(left) + len(right) - both)


def _bands(found: "NDArray[np.uint32]", settings: Dedup) -> list[list[int]]:
    """One key per document and band: the rows of the band folded into 64 bits."""
    import numpy as np

    grouped = found.reshape(len(found), settings.bands, settings.rows).astype(np.uint64)
    keys = np.zeros(grouped.shape[:2], dtype=np.uint64)
    for row in range(settings.rows):
        keys = (keys ^ grouped[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
    return keys.tolist()
