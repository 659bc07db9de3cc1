"""Answers of one question in one row: it is computed once, and they do not see each other.

Axis letters in this file: B row, T new position, S position that can be attended to, D width,
V vocabulary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hornbook.model.phi import KVCache, Phi

Ids = tuple[int, ...]
_QUESTION, _PADDING = 0, -1
SHORTEST_PREFIX = 32  # tokens; a shorter one costs more to copy than to compute
_POSITIONS_AT_ONCE = 1024  # whose logits are in memory at the same time
_MASK_CELLS = 1 << 25  # of a batch, at most
_FILLED = 0.9  # of a batch's inputs, at least; the others are padding


class Scored(NamedTuple):
    """Log-probability of an answer in nats, and whether it is the greedy one."""

    logp: float
    is_greedy: bool


@dataclass(frozen=True)
class Row:
    """One question and some answers to it; answer k is `answers[k]`."""

    question: Ids
    answers: tuple[Ids, ...]

    @property
    def tokens(self) -> int:
        """Inputs: an answer's last token is predicted and never read."""
        return len(self.question) + sum(len(answer) - 1 for answer in self.answers)


def pack(question: Ids, answers: Sequence[Ids], context_tokens: int) -> list[Row]:
    """Rows of at most `context_tokens` inputs that hold every answer, in order.

    Where question and answer do not fit, the question loses its beginning, as in lm-eval's HFLM.
    An answer that is longer than the context is the caller's to cut.
    """
    rows: list[Row] = []
    open_answers: list[Ids] = []
    for answer in answers:
        room = context_tokens + 1 - len(answer)
        if len(question) > room:
            rows.append(Row(question[len(question) - room :], (answer,)))
            continue
        if open_answers and Row(question, (*open_answers, answer)).tokens > context_tokens:
            rows.append(Row(question, tuple(open_answers)))
            open_answers = []
        open_answers.append(answer)
    return [*rows, Row(question, tuple(open_answers))] if open_answers else rows


def batches(rows: Sequence[Row], most_rows: int) -> Iterator[tuple[Ids, list[Row]]]:
    """Rows of like length with the beginning that all of a batch share, () where it is short."""
    groups: dict[Ids, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.question[:SHORTEST_PREFIX], []).append(row)
    alone = [row for group in groups.values() if len(group) == 1 for row in group]
    shared = [group for group in groups.values() if len(group) > 1]
    for group in (*shared, alone):
        prefix = _common([row.question for row in group]) if group is not alone else ()
        prefix = prefix if len(prefix) >= SHORTEST_PREFIX else ()
        ordered = sorted(group, key=lambda row: (row.tokens, row.question, row.answers))
        while ordered:
            count = _together(ordered[:most_rows], len(prefix))
            yield prefix, ordered[:count]
            ordered = ordered[count:]


def _together(ordered: Sequence[Row], start: int) -> int:
    """How many of the first rows make a batch, which is as wide as the last of them."""
    inputs = 0
    for count, row in enumerate(ordered, 1):
        width = row.tokens - start
        inputs += width
        is_too_much = inputs < _FILLED * count * width or count * width * row.tokens > _MASK_CELLS
        if is_too_much and count > 1:
            return count - 1
    return len(ordered)


def _common(questions: Sequence[Ids]) -> Ids:
    """The beginning that all share; a question keeps its last token, whose logits are needed."""
    first, last = min(questions), max(questions)
    most = min(map(len, questions)) - 1
    count = next((i for i in range(most) if first[i] != last[i]), most)
    return first[:count]


class Prefix:
    """The beginning that batches share, computed once."""

    def __init__(self, model: Phi) -> None:
        self._model = model
        self._ids: Ids = ()
        self._cache: KVCache | None = None

    def cache(self, ids: Ids, rows: int, new_tokens: int) -> KVCache | None:
        """Keys and values of `ids` for each of `rows`, with room; None for no prefix."""
        if not ids:
            return None
        weights = self._model.head.weight
        if self._cache is None or self._ids != ids:
            self._cache = KVCache(
                self._model.shape, rows=1, slots=len(ids), device=weights.device,
                dtype=weights.dtype,
            )  # fmt: skip
            self._model.hidden(torch.tensor([ids], device=weights.device), self._cache)
            self._ids = ids
        return self._cache.grown(rows, len(ids) + new_tokens)


@torch.inference_mode()
def score(model: Phi, rows: Sequence[Row], prefix: Ids, prefixes: Prefix) -> list[list[Scored]]:
    """Scores of the answers of each row."""
    start, device = len(prefix), model.head.weight.device
    longest = max(row.tokens for row in rows) - start
    ids_BT = torch.zeros((len(rows), longest), dtype=torch.long)
    part_BT = torch.full((len(rows), longest), _PADDING)
    positions_BT = torch.zeros((len(rows), longest), dtype=torch.long)
    picked: list[tuple[int, int, int]] = []  # row, position, target
    for number, row in enumerate(rows):
        question = row.question[start:]
        at = len(question)
        ids_BT[number, :at] = torch.tensor(question)
        part_BT[number, :at] = _QUESTION
        positions_BT[number, :at] = torch.arange(start, start + at)
        end = at
        for place, answer in enumerate(row.answers, 1):
            stop = end + len(answer) - 1
            ids_BT[number, end:stop] = torch.tensor(answer[:-1], dtype=torch.long)
            part_BT[number, end:stop] = place
            positions_BT[number, end:stop] = torch.arange(start + at, start + at + stop - end)
            where = [at - 1, *range(end, stop)]
            picked += [(number, t, token) for t, token in zip(where, answer, strict=True)]
            end = stop
    is_plain = all(len(row.answers) == 1 for row in rows) and not start
    x_BTD = model.hidden(
        ids_BT.to(device),
        prefixes.cache(prefix, len(rows), longest),
        positions_BT=None if is_plain else positions_BT.to(device),
        mask_BTS=None if is_plain else _mask(part_BT.to(device), start),
    )
    return _unpack(rows, *_log_probabilities(model, x_BTD, picked))


def _mask(part_BT: Tensor, start: int) -> Tensor:
    """Whether a position may attend: to what came before in its question and its own answer."""
    rows, tokens = part_BT.shape
    is_own_BTT = (part_BT[:, :, None] == part_BT[:, None, :]) | (part_BT[:, None, :] == _QUESTION)
    is_before_TT = torch.ones((tokens, tokens), dtype=torch.bool, device=part_BT.device).tril()
    before_BTS = torch.ones((rows, tokens, start), dtype=torch.bool, device=part_BT.device)
    return torch.cat([before_BTS, is_own_BTT & is_before_TT], dim=2)


def _log_probabilities(
    model: Phi, x_BTD: Tensor, picked: Sequence[tuple[int, int, int]]
) -> tuple[list[float], list[bool]]:
    """Of each target at its position, and whether it is the likeliest there."""
    logp: list[float] = []
    greedy: list[bool] = []
    for first in range(0, len(picked), _POSITIONS_AT_ONCE):
        part = torch.tensor(picked[first : first + _POSITIONS_AT_ONCE], device=x_BTD.device)
        where, back = torch.unique(part[:, :2], dim=0, return_inverse=True)
        table = model.head(x_BTD[where[:, 0], where[:, 1]]).float()
        norm = table.logsumexp(-1)
        logp += (table[back, part[:, 2]] - norm[back]).tolist()
        greedy += (table.argmax(-1)[back] == part[:, 2]).tolist()
    return logp, greedy


def _unpack(
    rows: Sequence[Row], logp: Sequence[float], greedy: Sequence[bool]
) -> list[list[Scored]]:
    found: list[list[Scored]] = []
    at = 0
    for row in rows:
        scores: list[Scored] = []
        for answer in row.answers:
            end = at + len(answer)
            scores.append(Scored(sum(logp[at:end]), all(greedy[at:end])))
            at = end
        found.append(scores)
    return found
