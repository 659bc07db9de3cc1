"""Any causal model of transformers behind lm-eval's interface, asked as ours are.

Axis letters in this file: B row, T position, V vocabulary.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from hornbook.evaluate import greedy
from hornbook.evaluate.greedy import Codec, Job, Text, Tokens
from hornbook.evaluate.lm import LM, Advance, Scorer
from hornbook.evaluate.memory import Memory
from hornbook.evaluate.packing import Ids, Row, Scored, pack
from hornbook.tokens.transformers_tokenizer import TransformersTokenizer

_LOGIT_BYTES = 1 << 30  # of a batch, at most, unless one row has more
_PREFIX: Ids = ()


class TransformersLM(LM):
    """A checkpoint of any architecture; each answer is a row of its own after its question."""

    def __init__(
        self,
        network: Any,  # noqa: ANN401 - a class of transformers, which has no types
        encoder: TransformersTokenizer,
        *,
        context: int,
        memory: Memory,
        rows: int,
        new_tokens: int,
        advance: Advance,
    ) -> None:
        super().__init__(
            encoder, context=context, memory=memory, rows=rows, new_tokens=new_tokens,
            advance=advance,
        )  # fmt: skip
        self.network, self._own = network, encoder
        self._token_bytes = 4 * int(network.get_input_embeddings().weight.shape[0])

    @property
    def prefix_token_id(self) -> int:
        """What stands in for an empty context: the token that begins a text, or ends one."""
        return self._own.start[-1] if self._own.start else self._own.eos

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        **kwargs: Any,  # noqa: ANN401, ARG002 - the interface's
    ) -> list[int]:
        """Ids after those that the checkpoint's tokenizer puts before a text."""
        ids = self._own.plain(string)
        return ids if add_special_tokens is False else [*self._own.start, *ids]

    def packed(self, question: Ids, answers: Sequence[Ids]) -> list[Row]:
        """A row for each answer: a mask that hides answers from each other is not for all."""
        return [row for answer in answers for row in pack(question, [answer], self.context)]

    def batched(self, rows: Sequence[Row]) -> Iterator[tuple[Ids, list[Row]]]:
        """Rows of like length, as many as have room for their logits."""
        ordered = sorted(rows, key=lambda row: (row.tokens, row.question, row.answers))
        while ordered:
            count = min(len(ordered), self.rows)
            while (
                count > 1 and count * ordered[count - 1].tokens * self._token_bytes > _LOGIT_BYTES
            ):
                count -= 1
            yield _PREFIX, ordered[:count]
            ordered = ordered[count:]

    def scorer(self) -> Scorer:
        """Scores of rows that have one answer each."""
        return lambda rows, _: [[one] for one in self._score(rows)]

    @torch.inference_mode()
    def _score(self, rows: Sequence[Row]) -> list[Scored]:
        ids = [[*row.question, *row.answers[0][:-1]] for row in rows]
        ids_BT, mask_BT = _padded(ids, left=False)
        device = self.network.device
        logits_BTV = self.network(
            input_ids=ids_BT.to(device), attention_mask=mask_BT.to(device), use_cache=False
        ).logits
        found: list[Scored] = []
        for row, logits_TV in zip(rows, logits_BTV, strict=True):
            answer = torch.tensor(row.answers[0], device=device)
            table = logits_TV[len(row.question) - 1 : row.tokens].float().log_softmax(-1)
            logp = table.gather(-1, answer[:, None]).sum()
            found.append(Scored(float(logp), bool((table.argmax(-1) == answer).all())))
        return found

    @torch.inference_mode()
    def write(self, jobs: Sequence[Job], new_tokens: int) -> list[str]:
        """Texts by transformers' own loop; which token is next and what ends a text are ours."""
        ids_BT, mask_BT = _padded([job.ids for job in jobs], left=True)
        device = self.network.device
        steps = min(new_tokens, self.context - ids_BT.shape[1])
        writing = _Writing(jobs, steps, self.encoder, device)
        self.network.generate(
            input_ids=ids_BT.to(device),
            attention_mask=mask_BT.to(device),
            generation_config=GenerationConfig(
                max_new_tokens=steps, do_sample=False, pad_token_id=self.encoder.eos
            ),
            logits_processor=[_Next(writing)],
            stopping_criteria=[_Ended(writing)],
        )
        return writing.texts()


class _Writing:
    """The texts of a batch while they are written."""

    def __init__(
        self,
        jobs: Sequence[Job],
        steps: int,
        encoder: Codec,
        device: torch.device,
    ) -> None:
        self._tokens = Tokens(jobs, steps, encoder, device)
        self._texts = [Text(place, job.stops, encoder) for place, job in enumerate(jobs)]
        self._step = 0

    def next(self, logits_BV: Tensor) -> Tensor:
        """The next token of each row."""
        next_B = self._tokens.next(logits_BV.float(), range(len(self._texts)), self._step)
        self._step += 1
        return next_B

    def ended(self, last_B: Tensor) -> list[bool]:
        """Whether each text has ended with its newest token; those that had, stay."""
        for text, token in zip(self._texts, last_B.tolist(), strict=True):
            if text.end is None:
                text.add(token)
        return [text.end is not None for text in self._texts]

    def texts(self) -> list[str]:
        """All of them."""
        return [text.text() if text.end is None else text.end for text in self._texts]


class _Next(LogitsProcessor):
    """Leaves each row the one token that is chosen for it."""

    def __init__(self, writing: _Writing) -> None:
        self._writing = writing

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        next_B = self._writing.next(scores)
        return torch.full_like(scores, -torch.inf).scatter(-1, next_B[:, None], 0.0)


class _Ended(StoppingCriteria):
    """Ends a row whose text has ended."""

    def __init__(self, writing: _Writing) -> None:
        self._writing = writing

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Any:  # noqa: ANN401, ARG002
        ended = self._writing.ended(input_ids[:, -1])
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)


def _padded(ids: Sequence[Sequence[int]], *, left: bool) -> tuple[Tensor, Tensor]:
    """Ids BT, padded with 0, and a mask BT of those that are not padding."""
    longest = max(map(len, ids))
    ids_BT = torch.zeros((len(ids), longest), dtype=torch.long)
    mask_BT = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, one in enumerate(ids):
        first = longest - len(one) if left else 0
        ids_BT[row, first : first + len(one)] = torch.tensor(one)
        mask_BT[row, first : first + len(one)] = 1
    return ids_BT, mask_BT


def arithmetic() -> str:
    """The hash of the code and the libraries that an answer's last digits depend on."""
    digest = hashlib.sha256(f"{torch.__version__} {transformers.__version__}".encode())
    for file in (__file__, str(greedy.__file__)):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()
