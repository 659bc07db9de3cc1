"""A checkpoint behind lm-eval's interface: log-likelihoods and text, each remembered."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM

from hornbook.evaluate import greedy, packing
from hornbook.evaluate.greedy import Codec, Draw, Job, write
from hornbook.evaluate.memory import Memory
from hornbook.evaluate.packing import Ids, Prefix, Row, Scored, batches, pack, score
from hornbook.model import gelu, linear, phi
from hornbook.model.phi import Phi

Advance = Callable[[int], None]
Scorer = Callable[[Sequence[Row], Ids], list[list[Scored]]]  # of rows that share a beginning


class LM(TemplateLM):
    """A checkpoint as lm-eval sees it; what is particular to its architecture is abstract.

    Attributes:
        shortened: Requests so far that lost their beginning, because they did not fit the context.
    """

    def __init__(
        self,
        encoder: Codec,
        *,
        context: int,
        memory: Memory,
        rows: int,
        new_tokens: int,
        advance: Advance,
    ) -> None:
        super().__init__()
        self.memory, self.encoder, self.context = memory, encoder, context
        self.rows, self.new_tokens, self.advance = rows, new_tokens, advance
        self.shortened = 0

    @abstractmethod
    def packed(self, question: Ids, answers: Sequence[Ids]) -> list[Row]:
        """Rows within the context that hold every answer, in order."""

    @abstractmethod
    def batched(self, rows: Sequence[Row]) -> Iterator[tuple[Ids, list[Row]]]:
        """Rows that are computed together, with the beginning that they share."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """What scores the answers of each row; it may remember the last beginning."""

    @abstractmethod
    def write(self, jobs: Sequence[Job], new_tokens: int) -> list[str]:
        """The texts of a batch."""

    @property
    def eot_token_id(self) -> int:
        """The end-of-text token, which also stands in for an empty context."""
        return self.encoder.eos

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,  # noqa: ARG002 - the interface's
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> list[int]:
        """Ids without any token added."""
        return self.encoder.encode(string)

    @torch.inference_mode()
    def _loglikelihood_tokens(
        self,
        requests: list[tuple[tuple[str, str], list[int], list[int]]],
        **_: Any,  # noqa: ANN401
    ) -> list[tuple[float, bool]]:
        """Sum of log-probabilities of each continuation, and whether it is the greedy one."""
        self.shortened += sum(len(q) + len(a) - 1 > self.context for _, q, a in requests)
        whose = self._rows([(question, answer) for _, question, answer in requests])
        found = [Scored(0.0, False)] * len(requests)
        for rows, scores in self._batches(whose):
            for row, told in zip(rows, scores, strict=True):
                # two questions that lost their beginnings can be the same row
                for number, places in enumerate(whose[row]):
                    logp, is_greedy = told[number % len(told)]
                    for place in places:
                        found[place] = Scored(float(logp), bool(is_greedy))
        return [(one.logp, one.is_greedy) for one in found]

    def _rows(self, pairs: Sequence[tuple[list[int], list[int]]]) -> dict[Row, list[list[int]]]:
        """Of each answer of each row, the places of the pairs that ask for it."""
        answers: dict[Ids, dict[Ids, list[int]]] = {}
        for place, pair in enumerate(pairs):
            question, answer = (tuple(part) for part in pair)
            if len(answer) > self.context:  # its end is scored, after the token before that
                question, answer = answer[-self.context - 1 :][:1], answer[-self.context :]
            answers.setdefault(question, {}).setdefault(answer, []).append(place)
        whose: dict[Row, list[list[int]]] = {}
        for question, given in sorted(answers.items()):
            for row in self.packed(question, sorted(given)):
                whose.setdefault(row, []).extend(given[answer] for answer in row.answers)
        return whose

    def _batches(
        self, whose: Mapping[Row, list[list[int]]]
    ) -> Iterator[tuple[list[Row], list[list[Scored]]]]:
        """Each batch with its scores; one that was computed before is not computed again.

        The last digits of a score depend on what shares its batch. So a batch is kept as a whole:
        whatever else was asked before, the same requests end in the same digits.
        """
        made = [(self._batch_key(prefix, rows), prefix, rows)
                for prefix, rows in self.batched(list(whose))]  # fmt: skip
        asked = {key: sum(len(places) for row in rows for places in whose[row])
                 for key, _, rows in made}  # fmt: skip
        known = self.memory.get(sorted(asked))
        self.advance(sum(asked[key] for key in known))
        scores = self.scorer()
        for key, prefix, rows in made:
            if key not in known:
                known[key] = scores(rows, prefix)
                self.memory.put({key: known[key]})
                self.advance(asked[key])
            yield rows, known[key]

    def _batch_key(self, prefix: Ids, rows: Sequence[Row]) -> str:
        return self.memory.key([prefix, [[row.question, row.answers] for row in rows]])

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Log-probability of each continuation after its context."""
        encoded = [(pair, *self._encode_pair(*pair)) for pair in pairs]
        return [score for score, _ in self._loglikelihood_tokens(encoded)]

    @torch.inference_mode()
    def loglikelihood_rolling(
        self,
        requests: list[Instance],
        disable_tqdm: bool = False,  # noqa: ARG002
    ) -> list[float]:
        """Log-likelihood of whole texts, each token scored once, as lm-eval's HFLM cuts them.

        Each window but the first is a full context, of which the last one scores its end only.
        """
        totals: list[float] = []
        scores = self.scorer()
        for request in requests:
            plain = self.tok_encode(request.args[0], add_special_tokens=False)
            ids = (self.prefix_token_id, *plain)
            last = len(ids) - 1
            parts = [
                Row(ids[max(0, end - self.context) : start + 1], (ids[start + 1 : end + 1],))
                for start in range(0, last, self.context)
                for end in (min(start + self.context, last),)
            ]
            total = 0.0
            for first in range(0, len(parts), self.rows):
                rows = parts[first : first + self.rows]
                total += sum(one[0].logp for one in scores(rows, ()))
            totals.append(total)
            self.advance(1)
        return totals

    def generate_until(
        self,
        requests: list[Instance],
        disable_tqdm: bool = False,  # noqa: ARG002
    ) -> list[str]:
        """Greedy text of each prompt up to its stop strings, or to its task's number of tokens."""
        asked: dict[int, list[int]] = {}
        for place, request in enumerate(requests):
            most = tokens_of(list(request.args)[1].get("max_gen_toks"), self.new_tokens)
            asked.setdefault(most, []).append(place)
        texts = [""] * len(requests)
        for most, places in sorted(asked.items()):
            prompts = [requests[place].args[0] for place in places]
            stops = [_stops(list(requests[place].args)[1]) for place in places]
            for place, text in zip(places, self.generate(prompts, stops, most), strict=True):
                texts[place] = text
        return texts

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[str],
        stops: Sequence[list[str]],
        most: int | None = None,
        draws: Sequence[Draw] | None = None,
    ) -> list[str]:
        """Text of each prompt, of `most` tokens, greedy unless drawn.

        Prompts of like length share a batch.
        """
        new_tokens = min(most or self.new_tokens, self.context // 2)
        room = self.context - new_tokens
        whole = [self.tok_encode(prompt) or [self.eot_token_id] for prompt in prompts]
        self.shortened += sum(len(ids) > room for ids in whole)
        how = draws or [None] * len(whole)
        jobs = [Job(ids[-room:], s, d) for ids, s, d in zip(whole, stops, how, strict=True)]
        keys = [self.memory.key(_identity(job, new_tokens)) for job in jobs]
        known = self.memory.get(sorted(set(keys)))
        self.advance(sum(key in known for key in keys))
        asked = dict(zip(keys, jobs, strict=True))
        order = sorted(asked, key=lambda key: (len(asked[key].ids), asked[key]))
        for start in range(0, len(order), self.rows):
            chosen = order[start : start + self.rows]
            if all(key in known for key in chosen):
                continue
            made = self.write([asked[key] for key in chosen], new_tokens)
            fresh = {k: text for k, text in zip(chosen, made, strict=True) if k not in known}
            self.memory.put(fresh)  # a text that was written before stands
            known |= fresh
            self.advance(len(fresh))
        return [str(known[key]) for key in keys]


class HornbookLM(LM):
    """Our model: what answers share is computed once."""

    def __init__(
        self,
        model: Phi,
        encoder: Codec,
        *,
        memory: Memory,
        rows: int,
        new_tokens: int,
        advance: Advance,
    ) -> None:
        super().__init__(
            encoder, context=model.shape.context_tokens, memory=memory, rows=rows,
            new_tokens=new_tokens, advance=advance,
        )  # fmt: skip
        self.model = model.eval()

    def packed(self, question: Ids, answers: Sequence[Ids]) -> list[Row]:
        """As many answers of a question in a row as fit."""
        return pack(question, answers, self.context)

    def batched(self, rows: Sequence[Row]) -> Iterator[tuple[Ids, list[Row]]]:
        """Rows of like length, apart by how they begin."""
        return batches(rows, self.rows)

    def scorer(self) -> Scorer:
        """Scores by our model, with the keys and values of the beginning kept."""
        prefixes = Prefix(self.model)
        return lambda rows, prefix: score(self.model, rows, prefix, prefixes)

    def write(self, jobs: Sequence[Job], new_tokens: int) -> list[str]:
        """Texts by our loop."""
        return write(self.model, jobs, self.encoder, new_tokens)


def tokens_of(task: Any, most: int) -> int:  # noqa: ANN401 - lm-eval's setting, or nothing
    """How many tokens a text may have: what its task says, `most` where that is more or nothing."""
    return min(int(task or most), most)


def arithmetic() -> str:
    """The hash of the code and the library that an answer's last digits depend on."""
    digest = hashlib.sha256(torch.__version__.encode())
    for module in (packing, greedy, phi, linear, gelu):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def _identity(job: Job, new_tokens: int) -> list[Any]:
    drawn = [] if job.draw is None else [list(job.draw)]
    return [job.ids, job.stops, new_tokens, *drawn]


def _stops(arguments: Any) -> list[str]:  # noqa: ANN401 - lm-eval's keyword mapping
    until = arguments.get("until") or []
    return [until] if isinstance(until, str) else [stop for stop in until if stop]
