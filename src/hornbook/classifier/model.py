"""A fitted classifier: an embedding where it needs one, a regressor, its calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hornbook.artifacts import read_json, write_bytes, write_json
from hornbook.classifier import calibration, forest, linear, projection
from hornbook.classifier.calibration import Calibration
from hornbook.classifier.config import Fit
from hornbook.classifier.encoder import Encoder
from hornbook.classifier.features import TEXTS_AT_ONCE as WORDS_AT_ONCE
from hornbook.classifier.forest import Trees
from hornbook.classifier.linear import Linear
from hornbook.classifier.projection import Projection
from hornbook.errors import ArtifactError, ConfigError
from hornbook.seeds import integer

TENSORS, DESCRIPTION = "model.safetensors", "model.json"
TEXTS_AT_ONCE = 1024  # of the forest; what they become is held at once

Floats = NDArray[np.float64]


class Predicted(NamedTuple):
    """For each text the expected annotation and the probability that it counts as positive."""

    score: Floats
    probability: Floats


@dataclass(frozen=True)
class Embedded:
    """A forest and what it sees of a text."""

    embedding: Projection | Encoder
    trees: Trees

    def raw(self, texts: Sequence[str]) -> Floats:
        """Predicted annotations before calibration, shape [texts]."""
        return self.trees.raw(self.embedding.vectors(texts))


@dataclass(frozen=True)
class Classifier:
    """Texts in, calibrated predictions out."""

    regressor: Linear | Embedded
    calibration: Calibration
    characters: int  # of a text that are read

    def predict(self, texts: Sequence[str]) -> Predicted:
        """Predictions in the order of `texts`."""
        found = raw(self.regressor, [text[: self.characters] for text in texts])
        return Predicted(self.calibration.score(found), self.calibration.probability(found))


def raw(regressor: Linear | Embedded, texts: Sequence[str]) -> Floats:
    """Predicted annotations before calibration, so many texts at once as memory is for."""
    size = WORDS_AT_ONCE if isinstance(regressor, Linear) else TEXTS_AT_ONCE
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    return np.concatenate([np.empty(0), *(regressor.raw(batch) for batch in batches)])


def train(
    texts: Sequence[str], scores: NDArray[np.int64], settings: Fit, *,
    encoder: Path | None, name: str, workers: int,
) -> Linear | Embedded:  # fmt: skip
    """The regressor that `settings.kind` names; `name` keeps the seeds of web and code apart.

    Raises:
        ConfigError: The encoder that the settings want is not there.
        InputError: The encoder cannot be loaded, or the texts share too few words.
    """
    if settings.kind == "linear":
        return linear.fit(texts, scores.tolist(), features=settings.features, l2=settings.l2)
    wanted = settings.embedding
    if wanted.kind == "transformer":
        embedding = encoder_of(encoder, wanted.max_tokens)
    else:
        embedding = projection.fit(
            texts, features=settings.features, dimensions=wanted.dimensions,
            min_documents=wanted.min_documents,
            seed=integer(settings.seed, "projection", name) % 2**32,
        )  # fmt: skip
    vectors = embedding.vectors(texts)
    seed = integer(settings.seed, "forest", name)
    return Embedded(
        embedding, forest.grow(vectors, scores, settings.forest, seed=seed, workers=workers)
    )


def encoder_of(folder: Path | None, max_tokens: int) -> Encoder:
    """The encoder in the folder that `data.encoder` names.

    Raises:
        ConfigError: It names no folder.
        InputError: The folder cannot be loaded.
    """
    if folder is None or not folder.is_dir():
        raise ConfigError(
            f"classifier.embedding.kind=transformer reads the encoder in the folder data.encoder, "
            f"but that is {folder}; name a folder, or set classifier.embedding.kind=projection"
        )
    return Encoder(folder, max_tokens=max_tokens)


def save(folder: Path, model: Classifier) -> None:
    """`model.safetensors` and `model.json`; equal models give equal bytes."""
    from safetensors.numpy import save as packed

    tensors = dict(model.calibration.tensors())
    about: dict[str, Any] = {
        "calibration": model.calibration.kind,
        "characters": model.characters,
    }
    if isinstance(model.regressor, Linear):
        about["kind"] = "linear"
        tensors |= model.regressor.tensors()
    else:
        embedding = model.regressor.embedding
        about["kind"] = "forest"
        tensors |= model.regressor.trees.tensors()
        if isinstance(embedding, Encoder):
            about["embedding"] = {"kind": "transformer", "max_tokens": embedding.max_tokens}
        else:
            about["embedding"] = {"kind": "projection"}
            tensors |= embedding.tensors()
    write_bytes(folder / TENSORS, packed({k: np.ascontiguousarray(v) for k, v in tensors.items()}))
    write_json(folder / DESCRIPTION, about)


def load(folder: Path, encoder: Path | None) -> Classifier:
    """What `save` wrote.

    Raises:
        ArtifactError: A file is absent, damaged or lacks a tensor.
        ConfigError: The encoder that the classifier was fitted with is not there.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    about = read_json(folder / DESCRIPTION)
    try:
        tensors = load_file(folder / TENSORS)
        curves = calibration.restore(about["calibration"], tensors)
        return Classifier(_regressor(about, tensors, encoder), curves, about["characters"])
    except (OSError, SafetensorError, KeyError) as error:
        raise ArtifactError(
            f"{folder / TENSORS} is not the classifier that {DESCRIPTION} describes ({error!r}); "
            f"restore it with dvc checkout"
        ) from error


def _regressor(
    about: Mapping[str, Any], tensors: Mapping[str, Any], encoder: Path | None
) -> Linear | Embedded:
    if about["kind"] == "linear":
        return linear.restore(tensors)
    wanted = about["embedding"]
    embedding = (
        encoder_of(encoder, wanted["max_tokens"])
        if wanted["kind"] == "transformer"
        else projection.restore(tensors)
    )
    return Embedded(embedding, forest.restore(tensors))
