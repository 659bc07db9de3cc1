"""Text to token ids and back, with the ids of the Hugging Face tokenizer in the same folder.

Encoding runs on tiktoken, which does the same merges several times faster than `tokenizers`
(`bench/tokens.py`; `tests/tokens/test_encoder.py` compares the ids).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError
from hornbook.tokens.patterns import fast, fast_with_runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@cache
def byte_letters() -> Mapping[str, int]:
    """The printable letter that stands for each byte in a byte-level vocabulary.

    Source: GPT-2's `bytes_to_unicode`.
    """
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(shown)]
    letters = {chr(byte): byte for byte in shown}
    return letters | {chr(256 + place): byte for place, byte in enumerate(hidden)}


class Encoder:
    """The tokenizer artifact as an object; build it with `Encoder.load`.

    Attributes:
        eos: Id of the end-of-text token; no text encodes to it, nor to another special token.
        vocab_size: Rows of the model's embedding, padding rows included.
        tokens: Ids in use; those from here to `vocab_size` are padding.
        sha256: Identity of the vocabulary, the pattern and the added tokens.
    """

    def __init__(
        self,
        *,
        ranks: Mapping[bytes, int],
        pattern: str,
        special: Mapping[str, int],
        eos: int,
        added: Mapping[str, int],
        vocab_size: int,
        sha256: str,
    ) -> None:
        from tiktoken import Encoding

        self.eos = eos
        self.vocab_size = vocab_size
        self.sha256 = sha256
        self._bytes = {token: piece for piece, token in ranks.items()}
        self._bytes |= {token: text.encode() for text, token in [*special.items(), *added.items()]}
        self.tokens = 1 + max(self._bytes)
        with_runs = fast_with_runs(pattern, added) if added else None
        if with_runs:
            # no other piece holds two blanks in a row, so a run is only ever looked up whole
            ranks = {**ranks, **{text.encode(): token for text, token in added.items()}}
            self._added, self._cut = {}, None
        else:
            # tiktoken would take its own special tokens in hash order, and not the longest first
            longest_first = sorted(added, key=lambda text: (-len(text), text))
            cut = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if added else None
            self._added, self._cut = dict(added), cut
        self._bpe = Encoding(
            "hornbook",
            pat_str=with_runs or fast(pattern),
            mergeable_ranks=dict(ranks),
            # with none tiktoken would look for the empty text at each character
            special_tokens=dict(special),
        )

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """The encoder of a tokenizer folder (`vocab.json` and `meta.json`).

        Raises:
            ArtifactError: A file is absent or the vocabulary is not a byte-level one.
        """
        meta, vocab = read_json(folder / "meta.json"), read_json(folder / "vocab.json")
        letters = byte_letters()
        try:
            ranks = {
                bytes(letters[letter] for letter in text): token
                for text, token in vocab.items()
                if text not in meta["special"]
            }
        except KeyError as error:
            raise ArtifactError(
                f"{folder}/vocab.json has a token with {error}, which stands for no byte; "
                f"expected a byte-level BPE vocabulary as GPT-2's"
            ) from error
        return cls(
            ranks=ranks,
            pattern=meta["pattern"],
            special=meta["special"],
            eos=meta["eos"],
            added=meta["added"],
            vocab_size=meta["vocab_size"],
            sha256=meta["sha256"],
        )

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; the spelling of a special token in it is ordinary text."""
        if self._cut is None:
            return self._bpe.encode_ordinary(text)
        ids: list[int] = []
        for place, piece in enumerate(self._cut.split(text)):
            if place % 2:
                ids.append(self._added[piece])
            elif piece:
                ids.extend(self._bpe.encode_ordinary(piece))
        return ids

    def encode_batch(self, texts: Sequence[str]) -> "list[NDArray[np.uint32]]":
        """Ids of each text, in one thread: a corpus is a map over its shards."""
        import numpy as np

        if self._cut is not None:
            return [np.array(self.encode(text), dtype=np.uint32) for text in texts]
        return [self._bpe.encode_to_numpy(text, disallowed_special=()) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; padding ids stand for nothing, broken UTF-8 becomes U+FFFD."""
        pieces = (self._bytes[int(token)] for token in ids if int(token) in self._bytes)
        return b"".join(pieces).decode("utf-8", errors="replace")
