"""Stage `tokenizer`: the vocabulary of all corpora and variants."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from hornbook.errors import ArtifactError, ConfigError
from hornbook.stage import Run
from hornbook.tokens.config import Tokenizer
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.parts import parts, spread_texts
from hornbook.tokens.published import from_files, from_hub
from hornbook.tokens.vocabulary import Vocabulary, fit, hugging_face, save

# the web is left out, so that a change of its filter reaches no variant without web data
CORPORA = ("books", "code")


def tokenizer(run: Run) -> None:
    """Fit or read the vocabulary, write it, and check that both implementations agree on it."""
    settings = run.section("tokens.tokenizer", Tokenizer)
    corpora = {name: run.input(f"artifacts/clean/decontaminated/{name}") for name in CORPORA}
    if settings.kind == "fit":
        texts = fit_texts(corpora, settings.fit.sample_characters)
        with run.progress(None, "documents", "fitting the vocabulary") as bar:
            vocabulary = fit(
                _counted(texts, bar.advance),
                vocab_size=settings.vocab_size,
                whole_numbers_to=settings.fit.whole_numbers_to,
                min_frequency=settings.fit.min_frequency,
                eos_text=settings.eos_text,
            )
    elif settings.kind == "hub":
        hub = settings.hub
        run.log(f"asking the Hugging Face hub for {hub.name} at {hub.revision}")
        vocabulary = from_hub(hub.name, hub.revision or "", eos_text=settings.eos_text)
    else:
        vocabulary = from_files(
            run.input(run.section("data.tokenizer", str)),
            eos_text=settings.eos_text,
            added_tokens=settings.files.added_tokens,
        )
    require_room(vocabulary, settings.vocab_size)
    save(vocabulary, run.out, kind=settings.kind, vocab_size=settings.vocab_size)
    encoder = Encoder.load(run.out)
    checked, tokens, size = verify(encoder, vocabulary, _texts(corpora, settings.verify_documents))
    _expect(run, settings, vocabulary)
    run.summary(
        rows=vocabulary.tokens,
        vocab_size=settings.vocab_size,
        padding=settings.vocab_size - vocabulary.tokens,
        documents_verified=checked,
        bytes_per_token=round(size / tokens, 4) if tokens else None,
    )


def require_room(vocabulary: Vocabulary, vocab_size: int) -> None:
    """The vocabulary fits the model's embedding.

    Raises:
        ConfigError: It does not.
    """
    if vocabulary.tokens > vocab_size:
        raise ConfigError(
            f"tokens.tokenizer.vocab_size={vocab_size}, but the vocabulary has "
            f"{vocabulary.tokens} tokens; expected at least that many"
        )


def verify(encoder: Encoder, vocabulary: Vocabulary, texts: Iterable[str]) -> tuple[int, int, int]:
    """Documents, tokens and bytes on which our ids were compared with those of `tokenizers`.

    Raises:
        ArtifactError: An id differs, or a text does not come back from its ids.
    """
    reference = hugging_face(vocabulary)
    reference.encode_special_tokens = True  # the spelling of the end of text is text in a document
    documents = tokens = size = 0
    for text in texts:
        ours, theirs = encoder.encode(text), reference.encode(text).ids
        if ours != theirs:
            place = next(
                (at for at, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
                min(len(ours), len(theirs)),
            )
            raise ArtifactError(
                f"tiktoken and tokenizers disagree at token {place} of {text[:60]!r}...: "
                f"{ours[place : place + 5]} and {theirs[place : place + 5]}; a vocabulary with "
                f"other pre-tokenization rules than its files say cannot be used"
            )
        if encoder.decode(ours) != text:
            raise ArtifactError(f"the ids of {text[:60]!r}... do not decode to it")
        documents, tokens, size = documents + 1, tokens + len(ours), size + len(text.encode())
    return documents, tokens, size


def fit_texts(corpora: Mapping[str, Path], characters: Mapping[str, int]) -> Iterator[str]:
    """About `characters` of each corpus as whole documents, spread evenly over it.

    Raises:
        ConfigError: `characters` does not name exactly the corpora that a vocabulary is fitted to.
    """
    if set(characters) != set(corpora):
        raise ConfigError(
            f"tokens.tokenizer.fit.sample_characters names {sorted(characters)}; expected "
            f"{sorted(corpora)}"
        )
    for name in sorted(corpora):
        found = parts(corpora[name])
        size = sum(part.text_bytes for part in found)
        yield from spread_texts(found, max(1, round(size / characters[name])))


def _texts(corpora: Mapping[str, Path], at_most: int) -> Iterator[str]:
    """Up to `at_most` texts of each corpus, spread evenly over it."""
    for name in sorted(corpora):
        found = parts(corpora[name])
        rows = sum(part.rows for part in found)
        yield from spread_texts(found, max(1, math.ceil(rows / at_most)))


def _counted(texts: Iterator[str], advance: Callable[[], None]) -> Iterator[str]:
    for text in texts:
        advance()
        yield text


def _expect(run: Run, settings: Tokenizer, vocabulary: Vocabulary) -> None:
    import pandas as pd

    rows = [
        {"id": token, "token": text, "letters": len(text)}
        for text, token in [*vocabulary.ids.items(), *vocabulary.added.items()]
    ]
    run.expect("vocabulary", pd.DataFrame(rows), settings.expectations, "id")
