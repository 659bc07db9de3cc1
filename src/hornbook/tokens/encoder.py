"""Text to token ids and back, with the ids of the Hugging Face tokenizer in the same folder.

Encoding runs on tiktoken, which does the same merges several times faster than `tokenizers`
(`tests/tokens/test_encoder.py` compares the ids).
"""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def byte_letters() -> dict[str, int]:
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
        eos: Id of the end-of-text token; no text encodes to it.
        vocab_size: Rows of the model's embedding, padding rows included.
        tokens: Ids in use; those from here to `vocab_size` are padding.
        sha256: Identity of the vocabulary, the pattern and the added tokens.
    """

    def __init__(
        self,
        *,
        ranks: Mapping[bytes, int],
        pattern: str,
        eos_text: str,
        eos: int,
        added: Mapping[str, int],
        vocab_size: int,
        sha256: str,
    ) -> None:
        from tiktoken import Encoding

        self.eos = eos
        self.vocab_size = vocab_size
        self.tokens = 1 + max(eos, *ranks.values(), *added.values())
        self.sha256 = sha256
        self._bpe = Encoding(
            "hornbook", pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens={eos_text: eos}
        )
        self._added = dict(added)
        self._added_bytes = {token: text.encode() for text, token in added.items()}
        # tiktoken alternates its special tokens in hash order, so runs of blanks, where the
        # longest has to win, are cut out here
        longest_first = sorted(added, key=lambda text: (-len(text), text))
        self._cut = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if added else None

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """The encoder of a tokenizer folder (`vocab.json` and `meta.json`).

        Raises:
            ArtifactError: A file is absent or the vocabulary is not a byte-level one.
        """
        meta, vocab = read_json(folder / "meta.json"), read_json(folder / "vocab.json")
        letters = byte_letters()
        special = {meta["eos_text"], *meta["added"]}
        try:
            ranks = {
                bytes(letters[letter] for letter in text): token
                for text, token in vocab.items()
                if text not in special
            }
        except KeyError as error:
            raise ArtifactError(
                f"{folder}/vocab.json has a token with {error}, which stands for no byte; "
                f"expected a byte-level BPE vocabulary as GPT-2's"
            ) from error
        return cls(
            ranks=ranks,
            pattern=meta["pattern"],
            eos_text=meta["eos_text"],
            eos=meta["eos"],
            added=meta["added"],
            vocab_size=meta["vocab_size"],
            sha256=meta["sha256"],
        )

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; the spelling of the end-of-text token in it is ordinary text."""
        if self._cut is None:
            return self._bpe.encode_ordinary(text)
        ids: list[int] = []
        for place, piece in enumerate(self._cut.split(text)):
            if place % 2:
                ids.append(self._added[piece])
            elif piece:
                ids.extend(self._bpe.encode_ordinary(piece))
        return ids

    def encode_batch(self, texts: Sequence[str], workers: int = 1) -> "list[NDArray[np.uint32]]":
        """Ids of each text; `workers` threads change the time only."""
        if workers == 1:
            return [self._encode_array(text) for text in texts]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(self._encode_array, texts))

    def _encode_array(self, text: str) -> "NDArray[np.uint32]":
        import numpy as np

        if self._cut is None:
            return self._bpe.encode_to_numpy(text, disallowed_special=())
        return np.array(self.encode(text), dtype=np.uint32)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; padding ids stand for nothing, broken UTF-8 becomes U+FFFD."""
        known = [int(token) for token in ids if token < self.tokens]
        if not self._added:
            return self._bpe.decode(known)
        pieces = (
            self._added_bytes.get(token) or self._bpe.decode_single_token_bytes(token)
            for token in known
        )
        return b"".join(pieces).decode("utf-8", errors="replace")
