"""Our model behind lm-eval's interface: log-likelihoods and greedy text.

Axis letters in this file: B row, T position, V vocabulary.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from torch import Tensor

from hornbook.evaluate.memory import Memory
from hornbook.model.phi import KVCache, Phi
from hornbook.tokens.encoder import Encoder

Advance = Callable[[int], None]


class HornbookLM(TemplateLM):
    """A checkpoint as lm-eval sees it; longer inputs lose their beginning."""

    def __init__(
        self,
        model: Phi,
        encoder: Encoder,
        *,
        memory: Memory,
        rows: int,
        new_tokens: int,
        advance: Advance,
    ) -> None:
        super().__init__()
        self.memory = memory
        self.model, self.encoder = model.eval(), encoder
        self.rows, self.new_tokens, self.advance = rows, new_tokens, advance
        self.context = model.shape.context_tokens
        self.place = next(model.parameters()).device

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
        keys = [self.memory.key([context, answer]) for _, context, answer in requests]
        known = self.memory.get(sorted(set(keys)))
        missing = {
            key: (context, answer)
            for key, (_, context, answer) in zip(keys, requests, strict=True)
            if key not in known
        }
        self.advance(len(requests) - len(missing))
        order = sorted(missing, key=lambda key: (sum(map(len, missing[key])), key))
        for start in range(0, len(order), self.rows):
            chosen = order[start : start + self.rows]
            scores = self._score([missing[key] for key in chosen])
            fresh = dict(zip(chosen, scores, strict=True))
            self.memory.put(fresh)
            known |= fresh
            self.advance(len(chosen))
        return [(float(known[key][0]), bool(known[key][1])) for key in keys]

    def _score(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        whole = [(context + answer)[-(self.context + 1) :] for context, answer in pairs]
        longest = max(map(len, whole)) - 1
        ids_BT = torch.zeros((len(whole), longest), dtype=torch.long, device=self.place)
        for row, ids in enumerate(whole):
            ids_BT[row, : len(ids) - 1] = torch.tensor(ids[:-1])
        x_BTD = self.model.hidden(ids_BT)
        results: list[tuple[float, bool]] = []
        for row, (ids, (_, answer)) in enumerate(zip(whole, pairs, strict=True)):
            count = min(len(answer), len(ids) - 1)
            end = len(ids) - 1
            logp_TV = self.model.head(x_BTD[row, end - count : end]).float().log_softmax(-1)
            target = torch.tensor(ids[-count:], device=self.place)
            picked = logp_TV.gather(1, target[:, None]).sum()
            is_greedy = bool((logp_TV.argmax(-1) == target).all())
            results.append((float(picked), is_greedy))
        return results

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
        """Log-likelihood of whole texts, in windows of the context, each token scored once."""
        totals: list[float] = []
        for request in requests:
            ids = [self.eot_token_id, *self.encoder.encode(request.args[0])]
            total = 0.0
            for start in range(0, len(ids) - 1, self.context):
                window = ids[start : start + self.context + 1]
                total += self._score([(window[:1], window[1:])])[0][0]
            totals.append(total)
            self.advance(1)
        return totals

    def generate_until(
        self,
        requests: list[Instance],
        disable_tqdm: bool = False,  # noqa: ARG002
    ) -> list[str]:
        """Greedy text of each prompt up to its stop strings."""
        prompts = [request.args[0] for request in requests]
        stops = [_stops(list(request.args)[1]) for request in requests]
        return self.generate(prompts, stops)

    @torch.inference_mode()
    def generate(self, prompts: Sequence[str], stops: Sequence[list[str]]) -> list[str]:
        """Greedy text; prompts of equal length share a batch, so nothing is padded."""
        room = self.context - min(self.new_tokens, self.context // 2)
        ids = [(self.encoder.encode(prompt) or [self.eot_token_id])[-room:] for prompt in prompts]
        asked = [[one, stop, self.new_tokens] for one, stop in zip(ids, stops, strict=True)]
        keys = [self.memory.key(one) for one in asked]
        known = self.memory.get(sorted(set(keys)))
        missing = {key: i for i, key in enumerate(keys) if key not in known}
        self.advance(len(ids) - len(missing))
        order = sorted(missing, key=lambda key: (len(ids[missing[key]]), key))
        for _, group in groupby(order, key=lambda key: len(ids[missing[key]])):
            members = list(group)
            for start in range(0, len(members), self.rows):
                chosen = members[start : start + self.rows]
                rows_BT = torch.tensor([ids[missing[k]] for k in chosen], device=self.place)
                made = self._greedy(rows_BT, [stops[missing[k]] for k in chosen])
                fresh = dict(zip(chosen, made, strict=True))
                self.memory.put(fresh)
                known |= fresh
                self.advance(len(chosen))
        return [str(known[key]) for key in keys]

    def _greedy(self, ids_BT: Tensor, stops: list[list[str]]) -> list[str]:
        rows, prompt = ids_BT.shape
        slots = min(prompt + self.new_tokens, self.context)
        dtype = next(self.model.parameters()).dtype
        cache = KVCache(self.model.shape, rows=rows, slots=slots, device=self.place, dtype=dtype)
        made: list[list[int]] = [[] for _ in range(rows)]
        texts: list[str | None] = [None] * rows
        next_B = self.model.head(self.model.hidden(ids_BT, cache)[:, -1]).argmax(-1)
        for step in range(slots - prompt):
            for row, token in enumerate(next_B.tolist()):
                if texts[row] is None:
                    texts[row] = self._grow(made[row], token, stops[row])
            if all(text is not None for text in texts) or step == slots - prompt - 1:
                break
            next_B = self.model.head(self.model.hidden(next_B[:, None], cache)[:, -1]).argmax(-1)
        return [self.encoder.decode(made[r]) if t is None else t for r, t in enumerate(texts)]

    def _grow(self, made: list[int], token: int, stops: list[str]) -> str | None:
        """Add a token to a row; its text when the row has ended by it."""
        if token == self.eot_token_id:
            return self.encoder.decode(made)
        made.append(token)
        text = self.encoder.decode(made)
        cuts = [at for stop in stops if (at := text.find(stop)) >= 0]
        return text[: min(cuts)] if cuts else None


def _stops(arguments: Any) -> list[str]:  # noqa: ANN401 - lm-eval's keyword mapping
    until = arguments.get("until") or []
    return [until] if isinstance(until, str) else [stop for stop in until if stop]
