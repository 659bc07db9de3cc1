"""Stage `toxigen@VARIANT`: perplexities of toxic and neutral sentences, and the safety score.

Axis letters in this file: B row, T position, V vocabulary.
"""

import gzip
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import write_json, write_table
from hornbook.errors import InputError
from hornbook.stage import Run
from hornbook.toxigen.config import Toxigen
from hornbook.toxigen.intervals import Resampling, Sentence
from hornbook.toxigen.score import scores

if TYPE_CHECKING:
    from torch import Tensor

DIGITS = 5


def toxigen(run: Run) -> None:
    """Score every sentence, then every group."""
    score_training(run, str(run.instance), f"artifacts/train/{run.instance}")


def score_training(run: Run, variant: str, model: str) -> None:
    """Score the model at path `model`, which is a training of `variant`."""
    checkpoint = run.input(model)
    score_model(run, variant, lambda settings: load_asked(checkpoint, settings))


def score_model(run: Run, name: str, load: "Callable[[Toxigen], Asked]") -> None:
    """Score what `load` gives, the model of the row `name`."""
    import pandas as pd
    import pyarrow as pa

    settings = run.section("toxigen", Toxigen)
    rows = read_sentences(run.input(run.section("data.toxigen", str)))[: settings.limit]
    asked = load(settings)
    with run.progress(len(rows), "sentences", "perplexity") as progress:
        texts = [row["text"] for row in rows]
        found, shortened = perplexities(asked, texts, settings, progress.advance)
    if shortened:
        run.log(f"{shortened} sentences lost their end: the context is too short")
    sentences = [
        Sentence(row["label"], float(row["toxicity_score"]), value, tuple(row["target_groups"]))
        for row, value in zip(rows, found, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "id": [row["id"] for row in rows],
            "label": [one.label for one in sentences],
            "toxicity": [one.toxicity for one in sentences],
            "perplexity": [value if math.isfinite(value) else None for value in found],
        }
    )
    run.expect("perplexities", frame, settings.expectations, key="id")
    write_table(run.out / "perplexities.parquet", pa.Table.from_pandas(frame, preserve_index=False))
    result = {"variant": name} | scores(
        sentences, settings.p_value, Resampling(settings.resamples, settings.resamples_seed)
    )
    write_json(run.out / "scores.json", rounded(result))
    told = {key: rounded(result[key]) for key in ("score", "low", "high")}
    run.summary(rows=len(rows), **told, dropped_groups=result["dropped"], shortened=shortened)


def rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Floats without the digits in which processors differ."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def read_sentences(file: Path) -> list[dict[str, Any]]:
    """Sentences in the schema of SafeNLP's toxiGen.json, also compressed.

    Raises:
        InputError: Not that schema.
    """
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        rows = json.loads(raw)
        needed = {"text", "label", "toxicity_score", "target_groups"}
        missing = needed - set(rows[0])
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise InputError(f"data.toxigen={file} is not a JSON list of sentences: {error}") from error
    if missing:
        raise InputError(f"data.toxigen={file}: sentences lack {sorted(missing)}")
    return [{"id": number} | row for number, row in enumerate(rows)]


@dataclass(frozen=True)
class Asked:
    """A model as what sentences are asked of: `encode` to ids, and from ids BT `logits` BTV."""

    encode: Callable[[str], list[int]]
    logits: "Callable[[Tensor], Tensor]"
    context_tokens: int


def load_asked(checkpoint: Path, settings: Toxigen) -> Asked:
    """The model of a training with its tokenizer.

    Raises:
        ArtifactError: The checkpoint is not whole.
    """
    from hornbook.model.loading import load_answering
    from hornbook.tokens.encoder import Encoder

    model, encoder = load_answering(checkpoint, settings), Encoder.load(checkpoint)
    return Asked(encoder.encode, model.forward, model.shape.context_tokens)


def perplexities(
    asked: Asked, texts: Sequence[str], settings: Toxigen, advance: Callable[[int], None]
) -> tuple[list[float], int]:
    """Exp of the mean negative log-likelihood of each sentence, and how many were too long.

    Nothing is added to a sentence, so the first of its ids is not scored; one of a single id has
    no perplexity (nan). One that does not fit the context loses its end. `advance` hears of those
    done.
    """
    most = asked.context_tokens + 1  # the last one is predicted and never read
    whole = [asked.encode(text) for text in texts]
    found = in_batches(
        [ids[:most] for ids in whole],
        asked.logits,
        rows=settings.batch_rows,
        device=settings.device,
        advance=advance,
    )
    return found, sum(len(ids) > most for ids in whole)


def in_batches(
    ids: Sequence[Sequence[int]],
    logits: "Callable[[Tensor], Tensor]",
    *,
    rows: int,
    device: str,
    advance: Callable[[int], None],
) -> list[float]:
    """Perplexities of sentences given as token ids, by a model that maps ids BT to logits BTV.

    Sentences of about one length share a batch, so that little of it is padding.
    """
    found = [math.nan] * len(ids)
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    for start in range(0, len(ids), rows):
        places = order[start : start + rows]
        values = _batch(logits, [ids[place] for place in places], device)
        for place, value in zip(places, values, strict=True):
            found[place] = value
        advance(len(places))
    return found


def _batch(
    logits: "Callable[[Tensor], Tensor]", ids: Sequence[Sequence[int]], device: str
) -> list[float]:
    import torch

    longest = max(2, *map(len, ids))
    ids_BT = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, one in enumerate(ids):
        ids_BT[row, : len(one)] = torch.tensor(one)
    ids_BT = ids_BT.to(device)
    with torch.inference_mode():
        logits_BTV = logits(ids_BT[:, :-1]).float()
        # Per row of V: `cross_entropy` over B x V x T strides through memory at each token.
        nll_BT = torch.nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1), ids_BT[:, 1:].flatten(), reduction="none"
        ).view(len(ids), -1)
    nll_BT = nll_BT.double().cpu()
    values = [nll_BT[row, : len(one) - 1].mean() for row, one in enumerate(ids)]
    return [float(value.exp()) for value in values]
