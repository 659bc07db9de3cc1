"""A byte-level BPE vocabulary: learned or read from files, and written as Hugging Face reads it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import write_json, write_text
from hornbook.errors import InputError
from hornbook.tokens.encoder import byte_letters
from hornbook.tokens.files import read_text_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Source: GPT-2's encoder.py.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# GPT-2's with two changes that a model of a million parameters needs. A blank never joins the
# number behind it, so that a number is the same tokens wherever it stands: whole-number tokens
# let it learn addition, split digits did not. A line break never joins the indent behind it, so
# that a prompt may end in one and still be continued by an indented line.
FIT_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+|\n+|[^\S\n]+(?!\S)|[^\S\n]+"
_SINGLE_DIGITS = FIT_PATTERN.replace(r"\p{N}+", r"\p{N}", 1)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens as byte letters with their ids, and the merges in their order."""

    ids: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]
    pattern: str
    eos_text: str
    added: Mapping[str, int]

    @property
    def eos(self) -> int:
        """Id of the end-of-text token."""
        return self.ids[self.eos_text]

    @property
    def tokens(self) -> int:
        """Ids in use."""
        return len(self.ids) + len(self.added)

    @property
    def sha256(self) -> str:
        """Identity of everything that decides an id."""
        content = [self.pattern, self.eos_text, dict(self.ids), self.merges, dict(self.added)]
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
    # digits one by one here: pairs of them are not learned, they are given
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


def from_files(folder: Path, *, eos_text: str, added_tokens: bool) -> Vocabulary:
    """GPT-2's vocabulary from a folder with vocab and merges, plain or gzipped.

    Raises:
        InputError: A file is absent, or is not what it should be.
    """
    vocab_file, vocab_text = read_text_file(folder, "*vocab.json")
    merges_file, merges_text = read_text_file(folder, "*merges.txt")
    try:
        ids: dict[str, int] = json.loads(vocab_text)
    except ValueError as error:
        raise InputError(f"{vocab_file} is not JSON ({error})") from error
    if eos_text not in ids:
        raise InputError(
            f"{vocab_file} has no token {eos_text!r} (tokens.tokenizer.eos_text); it has "
            f"{len(ids)} tokens, the last is {list(ids)[-1]!r}"
        )
    lines = [line for line in merges_text.splitlines() if line and not line.startswith("#version")]
    pairs = [tuple(line.split(" ")) for line in lines]
    broken = next((line for line, pair in zip(lines, pairs, strict=True) if len(pair) != 2), None)
    if broken is not None:
        raise InputError(f"{merges_file}: {broken!r} is not two tokens and a blank between them")
    added: dict[str, int] = {}
    if added_tokens:
        # Source: CodeGen's include_whitespace and include_tabs, longest first
        runs = [" " * count for count in range(31, 1, -1)]
        runs += ["\t" * count for count in range(9, 1, -1)]
        added = {run: len(ids) + place for place, run in enumerate(runs)}
    return Vocabulary(
        ids=ids,
        merges=tuple((pair[0], pair[1]) for pair in pairs),
        pattern=GPT2_PATTERN,
        eos_text=eos_text,
        added=added,
    )


def hugging_face(vocabulary: Vocabulary) -> "Tokenizer":
    """The vocabulary as a `tokenizers.Tokenizer`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, processors

    made = Tokenizer(models.BPE(vocab=dict(vocabulary.ids), merges=list(vocabulary.merges)))
    made.pre_tokenizer = _pre_tokenizer(vocabulary.pattern)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    made.add_special_tokens([AddedToken(vocabulary.eos_text, normalized=False)])
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
            "added": dict(vocabulary.added),
            "sha256": vocabulary.sha256,
        },
    )
