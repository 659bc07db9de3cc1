"""Tokens to learn from on a machine that has nothing else: lessons of the embedded teacher."""

from pathlib import Path

import numpy as np

from hornbook.teacher.domains import WRITERS
from hornbook.teacher.passages import OPENINGS, STYLES, write
from hornbook.tokens.vocabulary import fit, hugging_face

VOCABULARY = 4096


def write_tokens(file: Path, characters: int) -> None:
    """About a quarter as many token ids as `characters`, uint16, in `file`; always the same."""
    texts = lessons(characters)
    made = fit(
        texts[:2000],
        vocab_size=VOCABULARY,
        whole_numbers_to=99,
        min_frequency=2,
        eos_text="<|endoftext|>",
    )
    encoded = hugging_face(made).encode_batch_fast(texts)
    ids = [token for one in encoded for token in (*one.ids, made.eos)]
    np.save(file, np.array(ids, dtype=np.uint16))


def lessons(characters: int) -> list[str]:
    """Lessons of every domain, style and audience in turn."""
    domains, styles, readers = sorted(WRITERS), sorted(STYLES), sorted(OPENINGS)
    found: list[str] = []
    size = 0
    while size < characters:
        n = len(found)
        domain = domains[n % len(domains)]
        fields = {
            "domain": domain,
            "topic": domain,
            "style": styles[n % len(styles)],
            "audience": readers[n % len(readers)],
            "variation": str(n),
        }
        found.append(write(fields, 0))
        size += len(found[-1])
    return found


def batch(ids: np.ndarray, step: int, sequences: int, context_tokens: int) -> np.ndarray:
    """Windows of one token more than the context, the same ones at a step for everybody."""
    rng = np.random.default_rng([7, step])
    starts = rng.integers(0, len(ids) - context_tokens - 1, sequences)
    return np.stack([ids[at : at + context_tokens + 1] for at in starts]).astype(np.int64)
