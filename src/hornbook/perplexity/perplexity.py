"""Stage `perplexity@VARIANT`: how well a variant models the held-out text of every corpus.

Also of corpora that it was not trained on. Windows are cut as for training, so that what stands
before a document's first token is the document before it.

Axis letters in this file: B window, T position, V vocabulary.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import shards, write_json
from hornbook.perplexity.config import Perplexity
from hornbook.stage import Run
from hornbook.tokens.windows import Windows
from hornbook.train.domains import SourceDomains, source_domains

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hornbook.model.phi import Phi

DIGITS = 5


def perplexity(run: Run) -> None:
    """Write `perplexity.json`: a cell for each source, and one for each of its domains."""
    from hornbook.measure.inference import inference
    from hornbook.model.loading import load_answering

    settings = run.section("perplexity", Perplexity)
    model = load_answering(run.input(f"artifacts/train/{run.instance}"), settings)
    context = model.shape.context_tokens
    found: list[dict[str, Any]] = []
    for corpus in settings.corpora:
        tokens = run.input(f"artifacts/tokens/{corpus}")
        domains = None
        if corpus in settings.columns:
            documents = run.input(f"artifacts/clean/decontaminated/{corpus}")
            column, most = settings.columns[corpus], settings.most
            domains = source_domains(
                tokens, documents, column=column, most=most, context_tokens=context
            )
        windows = Windows(tokens, "heldout", context)
        chosen = spread(windows.count, settings.windows)
        with run.progress(len(chosen), "windows", corpus) as progress:
            nll_BT = losses(model, windows, chosen, settings.batch_rows, progress.advance)
        found += cells(corpus, nll_BT, chosen, document_ends(tokens), domains)
    write_json(
        run.out / "perplexity.json",
        {"variant": str(run.instance), "context_tokens": context, "cells": found},
    )
    run.summary(
        rows=len(found),
        tokens=sum(cell["tokens"] for cell in found if cell["domain"] is None),
        perplexity={c["source"]: c["perplexity"] for c in found if c["domain"] is None},
    )
    run.expect("cells", _frame(found), settings.expectations, "cell")
    run.measure(inference=inference(model))


def spread(count: int, most: int | None) -> "NDArray[np.int64]":
    """Numbers of windows from the first to the last, at most `most`, evenly far apart."""
    import numpy as np

    number = count if most is None else min(count, most)
    return np.linspace(0, count - 1, number).astype(np.int64)


def losses(
    model: "Phi",
    windows: Windows,
    chosen: "NDArray[np.int64]",
    rows: int,
    advance: Callable[[int], None],
) -> "NDArray[np.float32]":
    """Minus the log-probability of every token of the windows but their first, BT, in nats."""
    import numpy as np
    import torch

    device = model.head.weight.device
    found = np.zeros((len(chosen), windows.context_tokens), dtype=np.float32)
    for start in range(0, len(chosen), rows):
        some = chosen[start : start + rows]
        ids_BT = torch.from_numpy(windows.take(some)).to(device)
        with torch.inference_mode():
            logits_BTV = model(ids_BT[:, :-1]).float()
            nll = torch.nn.functional.cross_entropy(
                logits_BTV.flatten(0, 1), ids_BT[:, 1:].flatten(), reduction="none"
            )
        found[start : start + len(some)] = nll.view(len(some), -1).cpu().numpy()
        advance(len(some))
    return found


def document_ends(tokens: Path) -> "NDArray[np.int64]":
    """Where each held-out document ends in the stream of its split."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    lengths = [np.zeros(0, dtype=np.int64)]
    for file in shards(tokens, "index"):
        table = pq.read_table(file, columns=["length", "split"])
        heldout = table.filter(pc.field("split") == "heldout")
        lengths.append(heldout["length"].to_numpy().astype(np.int64))
    return np.cumsum(np.concatenate(lengths))


def cells(
    corpus: str,
    nll_BT: "NDArray[np.float32]",
    chosen: "NDArray[np.int64]",
    ends: "NDArray[np.int64]",
    domains: SourceDomains | None,
) -> list[dict[str, Any]]:
    """The cell of a corpus, and one for each of its domains that has held-out windows.

    A window is of the domain that most of its tokens are of, as in the curve of a training.
    """
    import numpy as np

    length = nll_BT.shape[1]
    targets_BT = chosen[:, None] * length + np.arange(1, length + 1)
    documents_BT = np.searchsorted(ends, targets_BT, side="right")
    found = [_cell(corpus, None, nll_BT, documents_BT)]
    for name, rows_B in _of_domains(domains, chosen):
        found.append(_cell(corpus, name, nll_BT[rows_B], documents_BT[rows_B]))
    return [one for one in found if one is not None]


def _of_domains(
    domains: SourceDomains | None, chosen: "NDArray[np.int64]"
) -> "Iterator[tuple[str, NDArray[np.bool_]]]":
    if domains is not None:
        codes_B = domains.windows["heldout"][chosen]
        for code, name in enumerate(domains.names):
            yield name, codes_B == code


def _cell(
    source: str,
    domain: str | None,
    nll_BT: "NDArray[np.float32]",
    documents_BT: "NDArray[np.int64]",
) -> dict[str, Any] | None:
    """Mean loss and its exp, with errors over documents; None without a window.

    The loss is a ratio of two sums over documents, of losses and of tokens; its error is that of
    the first term of its expansion. One document alone has no error.
    """
    import numpy as np

    if not nll_BT.size:
        return None
    _, of_token = np.unique(documents_BT, return_inverse=True)
    sums = np.bincount(of_token.ravel(), weights=nll_BT.ravel().astype(np.float64))
    tokens = np.bincount(of_token.ravel())
    loss = math.fsum(sums) / nll_BT.size
    error = None
    if len(sums) > 1:
        left = float(np.square(sums - loss * tokens).sum())
        error = math.sqrt(left * len(sums) / (len(sums) - 1)) / nll_BT.size
    value = math.exp(loss)
    return {
        "source": source,
        "domain": domain,
        "loss": _rounded(loss),
        "loss_stderr": None if error is None else _rounded(error),
        "perplexity": _rounded(value),
        "stderr": None if error is None else _rounded(value * error),  # exp's slope is its value
        "tokens": int(nll_BT.size),
        "windows": len(nll_BT),
        "documents": len(sums),
    }


def _rounded(value: float) -> float:
    """Without the digits in which processors differ."""
    return float(f"{value:.{DIGITS}g}")


def _frame(found: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - pandas only in the stage
    import pandas as pd

    return pd.DataFrame([{"cell": f"{c['source']}/{c['domain'] or ''}", **c} for c in found])
