"""Text with keys and values kept, several prompts at a time: the likeliest, or drawn.

Axis letters in this file: B row, T prompt position, S position that can be attended to, N step,
V vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from hornbook.model.phi import KVCache, Phi


class Codec(Protocol):
    """What turns text into ids and back: our encoder, or a checkpoint's own tokenizer."""

    @property
    def eos(self) -> int: ...  # noqa: D102 - as our encoder names them
    @property
    def tokens(self) -> int: ...  # noqa: D102
    def encode(self, text: str, /) -> list[int]: ...  # noqa: D102
    def decode(self, ids: Sequence[int], /) -> str: ...  # noqa: D102


class Draw(NamedTuple):
    """How a text is drawn: from which stream of numbers, and how evenly."""

    seed: int
    temperature: float


class Job(NamedTuple):
    """A prompt, the strings that end its text, and how it is drawn; None is the likeliest text."""

    ids: Sequence[int]
    stops: Sequence[str]
    draw: Draw | None = None


class Tokens:
    """The next token of each row. A row's draws depend on its own stream and step alone."""

    def __init__(
        self, jobs: Sequence[Job], steps: int, encoder: Codec, place: torch.device
    ) -> None:
        drawn = [job.draw for job in jobs if job.draw]
        assert len(drawn) in {0, len(jobs)}, "a batch is drawn or greedy"
        self._is_drawn, self._known = bool(drawn), encoder.tokens
        if drawn:
            numbers = [np.random.Generator(np.random.PCG64(d.seed)).random(steps) for d in drawn]
            self._number_BN = torch.tensor(np.array(numbers), device=place)
            self._temperature_B = torch.tensor(
                [d.temperature for d in drawn], dtype=torch.float64, device=place
            )

    def next(self, logits_BV: Tensor, places: Sequence[int], step: int) -> Tensor:
        """Of the rows of `places`: where a number in [0, 1) falls among summed probabilities."""
        if not self._is_drawn:
            return logits_BV.argmax(-1)
        rows = torch.tensor(places, device=logits_BV.device)
        # rows of the head beyond the vocabulary are no tokens
        even_BV = logits_BV[:, : self._known].double() / self._temperature_B[rows, None]
        sum_BV = even_BV.softmax(-1).cumsum(-1)
        number_B = self._number_BN[rows, step] * sum_BV[:, -1]
        # to the right, so that a token of probability 0 is never drawn
        found_B = torch.searchsorted(sum_BV, number_B[:, None], right=True)[:, 0]
        return found_B.clamp_max(self._known - 1)


class Text:
    """What was written to one prompt so far."""

    def __init__(self, place: int, stops: Sequence[str], encoder: Codec) -> None:
        self.place = place
        self.ids: list[int] = []
        self.end: str | None = None
        self._stops, self._encoder = stops, encoder
        # a stop string of n bytes lies within n tokens; a letter may be cut at either side
        self._reach = max((len(stop.encode()) for stop in stops), default=0) + 4

    def add(self, token: int) -> None:
        """One token more; `end` is the text once it has ended."""
        if token == self._encoder.eos:
            self.end = self.text()
            return
        self.ids.append(token)
        tail = self._encoder.decode(self.ids[-self._reach :]) if self._stops else ""
        if any(stop in tail for stop in self._stops):
            text = self.text()
            cuts = [at for stop in self._stops if (at := text.find(stop)) >= 0]
            self.end = text[: min(cuts)] if cuts else None

    def text(self) -> str:
        """All of it."""
        return self._encoder.decode(self.ids)


@torch.inference_mode()
def write(model: Phi, jobs: Sequence[Job], encoder: Codec, new_tokens: int) -> list[str]:
    """Token after token, until a stop string, the end of text or the limits.

    A text that has ended leaves the batch. Prompts that are shorter than the longest are padded on
    the left, where nothing attends to.
    """
    weights = model.head.weight
    longest = max(len(job.ids) for job in jobs)
    slots = min(longest + new_tokens, model.shape.context_tokens)
    padding = [longest - len(job.ids) for job in jobs]
    ids_BT = torch.tensor(
        [[0] * pad + list(job.ids) for pad, job in zip(padding, jobs, strict=True)]
    )
    cache = KVCache(
        model.shape, rows=len(jobs), slots=slots, device=weights.device, dtype=weights.dtype
    )
    pads_B = torch.tensor(padding, device=weights.device) if any(padding) else None
    x_BTD = model.hidden(ids_BT.to(weights.device), cache, **_places(pads_B, 0, longest))
    tokens = Tokens(jobs, max(1, slots - longest), encoder, weights.device)
    next_B = tokens.next(model.head(x_BTD[:, -1]), range(len(jobs)), 0)
    texts = [Text(place, job.stops, encoder) for place, job in enumerate(jobs)]
    done: dict[int, str] = {}
    for step in range(slots - longest):
        for text, token in zip(texts, next_B.tolist(), strict=True):
            text.add(token)
        left = [row for row, text in enumerate(texts) if text.end is None]
        done |= {text.place: text.end for text in texts if text.end is not None}
        if not left or step == slots - longest - 1:
            break
        if len(left) < len(texts):
            texts, cache = [texts[row] for row in left], cache.keep(left)
            kept = torch.tensor(left, device=weights.device)
            next_B = next_B[kept]
            pads_B = pads_B[kept] if pads_B is not None else None
        x_BTD = model.hidden(next_B[:, None], cache, **_places(pads_B, cache.length, 1))
        places = [text.place for text in texts]
        next_B = tokens.next(model.head(x_BTD[:, -1]), places, step + 1)
    done |= {text.place: text.text() for text in texts if text.place not in done}
    return [done[place] for place in range(len(jobs))]


def _places(pads_B: Tensor | None, start: int, tokens: int) -> dict[str, Tensor]:
    """Rotary positions and mask of `tokens` new slots behind `start`; nothing without padding."""
    if pads_B is None:
        return {}
    slot_T = torch.arange(start, start + tokens, device=pads_B.device)
    slot_S = torch.arange(start + tokens, device=pads_B.device)
    is_before_TS = slot_S[None, :] <= slot_T[:, None]
    is_own_BTS = (slot_S >= pads_B[:, None])[:, None] & is_before_TS
    # a row of padding has to attend to something: to itself
    is_self_TS = slot_S[None, :] == slot_T[:, None]
    return {
        "positions_BT": (slot_T[None] - pads_B[:, None]).clamp_min(0),
        "mask_BTS": is_own_BTS | is_self_TS,
    }
