"""A byte-level BPE vocabulary: learned from text, and written as Hugging Face reads it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import write_json, write_text
from hornbook.tokens.encoder import byte_letters
from hornbook.tokens.patterns import FIT_PATTERN, GPT2_PATTERN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# digits one by one while learning: pairs of them are not learned, they are given
_SINGLE_DIGITS = FIT_PATTERN.replace(r"\p{N}+", r"\p{N}", 1)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens as byte letters with their ids, in the order in which they are merged.

    Attributes:
        ids: Every token but the added ones; special tokens stand in it by their spelling.
        merges: Pairs in the order of what they make.
        special: Tokens that no text encodes to, the end of text among them.
        added: Tokens that are cut out of a text before anything is merged.
        ignore_merges: A piece that is a token is taken whole, whatever the merges make of it.
    """

    ids: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]
    pattern: str
    eos_text: str
    special: Mapping[str, int]
    added: Mapping[str, int]
    ignore_merges: bool = False

    @property
    def eos(self) -> int:
        """Id of the end-of-text token."""
        return self.ids[self.eos_text]

    @property
    def tokens(self) -> int:
        """Ids in use, and those between them."""
        return 1 + max([*self.ids.values(), *self.added.values()])

    @property
    def sha256(self) -> str:
        """Identity of everything that decides an id."""
        content = [
            self.pattern,
            self.eos_text,
            dict(self.ids),
            self.merges,
            dict(self.special),
            dict(self.added),
            self.ignore_merges,
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def fit(
    texts: Iterable[str],
    *,
    vocab_size: int,
    whole_numbers_to: int,
    min_frequency: int,
    eos_text: str,
) -> Vocabulary:
    """Bytes, then the whole numbers, then pairs by frequency in `texts`, then the end of text.

    A corpus too small for `vocab_size` gives fewer tokens.
    """
    from tokenizers import Tokenizer, models, trainers

    numbers = [str(number) for number in range(10, whole_numbers_to + 1)]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = _pre_tokenizer(_SINGLE_DIGITS)
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size - len(numbers) - 1,
            min_frequency=min_frequency,
            initial_alphabet=sorted(byte_letters()),
            show_progress=False,
        ),
    )
    learned = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    ordered = [text for text, _ in learned[:256]] + numbers + [text for text, _ in learned[256:]]
    ids = {text: token for token, text in enumerate(ordered)}
    ids[eos_text] = len(ids)
    return Vocabulary(
        ids=ids,
        merges=every_split(ordered),
        pattern=FIT_PATTERN,
        eos_text=eos_text,
        special={eos_text: ids[eos_text]},
        added={},
    )


def every_split(ordered: list[str]) -> tuple[tuple[str, str], ...]:
    """All pairs that make each token, in the order of the tokens.

    A trainer records one way to make a token; tiktoken takes any. With all of them listed the two
    implementations agree by construction.
    """
    known = set(ordered)
    return tuple(
        (text[:cut], text[cut:])
        for text in ordered
        for cut in range(1, len(text))
        if text[:cut] in known and text[cut:] in known
    )


def hugging_face(vocabulary: Vocabulary) -> "Tokenizer":
    """The vocabulary as a `tokenizers.Tokenizer`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, processors

    model = models.BPE(
        vocab=dict(vocabulary.ids),
        merges=list(vocabulary.merges),
        ignore_merges=vocabulary.ignore_merges,
    )
    made = Tokenizer(model)
    made.pre_tokenizer = _pre_tokenizer(vocabulary.pattern)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    special = sorted(vocabulary.special, key=lambda text: vocabulary.special[text])
    made.add_special_tokens([AddedToken(text, normalized=False) for text in special])
    runs = sorted(vocabulary.added, key=lambda text: vocabulary.added[text])
    made.add_tokens([AddedToken(text, normalized=False) for text in runs])
    return made


def _pre_tokenizer(pattern: str) -> Any:  # noqa: ANN401 - tokenizers has no public base class
    from tokenizers import Regex, pre_tokenizers

    if pattern == GPT2_PATTERN:
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def save(vocabulary: Vocabulary, folder: Path, *, kind: str, vocab_size: int) -> None:
    """Tokenizer files as `transformers.AutoTokenizer` and `Encoder.load` read them."""
    # through Python's JSON: the Rust writer's order of keys is its own
    write_json(folder / "tokenizer.json", json.loads(hugging_face(vocabulary).to_str()))
    ordered = dict(sorted(vocabulary.ids.items(), key=lambda item: item[1]))
    write_text(folder / "vocab.json", json.dumps(ordered, ensure_ascii=False) + "\n")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in vocabulary.merges)]
    write_text(folder / "merges.txt", "\n".join(lines) + "\n")
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": vocabulary.eos_text,
            "bos_token": vocabulary.eos_text,
            "unk_token": vocabulary.eos_text,
            "clean_up_tokenization_spaces": False,
        },
    )
    write_json(
        folder / "meta.json",
        {
            "kind": kind,
            "vocab_size": vocab_size,
            "tokens": vocabulary.tokens,
            "eos": vocabulary.eos,
            "eos_text": vocabulary.eos_text,
            "pattern": vocabulary.pattern,
            "special": dict(vocabulary.special),
            "added": dict(vocabulary.added),
            "sha256": vocabulary.sha256,
        },
    )
