"""What calls cost, and the caps that hold while many of them are in flight."""

import asyncio
from typing import Any, NamedTuple

from hornbook.errors import BudgetError
from hornbook.teacher.config import Price, Teacher

TOKENS_AROUND_MESSAGE = 16  # what chat templates put around a message, at most


class Spent(NamedTuple):
    """Dollars and tokens, spent or held."""

    usd: float
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """Tokens of both kinds."""
        return self.prompt_tokens + self.completion_tokens


NOTHING = Spent(0.0, 0, 0)


def price_of(teacher: Teacher) -> Price:
    """The price of the configured model.

    Raises:
        BudgetError: It has none: an unknown price is not zero.
    """
    if teacher.model not in teacher.prices:
        raise BudgetError(
            f"teacher.prices has no {teacher.model!r}; it has {sorted(teacher.prices)}; add "
            f"{{prompt: USD, completion: USD, batch: FACTOR}} per million tokens in conf/teacher/"
        )
    return teacher.prices[teacher.model]


def cost_usd(price: Price, prompt_tokens: int, completion_tokens: int) -> float:
    """Dollars for tokens."""
    return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1e6


class Budget:
    """Caps in dollars and tokens: the most a call can take is held before it, settled after it."""

    def __init__(
        self,
        price: Price,
        cap_usd: float | None,
        cap_tokens: int | None,
        *,
        spent: Spent = NOTHING,
    ) -> None:
        self.price, self.cap_usd, self.cap_tokens = price, cap_usd, cap_tokens
        self.spent_usd, self.spent_tokens = spent.usd, spent.tokens
        self.held_usd, self.held_tokens = 0.0, 0
        self.in_flight = 0
        self._settled = asyncio.Event()

    def most(self, body: dict[str, Any], factor: float = 1.0) -> Spent:
        """The most that a call can take; `factor` is what a batch pays of the price."""
        # a token has at least one byte
        prompt = sum(
            len(message["content"].encode()) + TOKENS_AROUND_MESSAGE for message in body["messages"]
        )
        limit = body["max_tokens"]
        return Spent(cost_usd(self.price, prompt, limit) * factor, prompt, limit)

    def has_room(self, most: Spent) -> bool:
        """Whether a call still fits beside what is spent and held."""
        usd = self.spent_usd + self.held_usd + most.usd
        tokens = self.spent_tokens + self.held_tokens + most.tokens
        return (self.cap_usd is None or usd <= self.cap_usd) and (
            self.cap_tokens is None or tokens <= self.cap_tokens
        )

    def hold(self, most: Spent) -> None:
        """Keep the most that a call can take from being spent otherwise."""
        self.held_usd += most.usd
        self.held_tokens += most.tokens
        self.in_flight += 1

    async def reserve(self, most: Spent) -> None:
        """Hold `most`, after waiting for calls that may leave room.

        Raises:
            BudgetError: It would exceed a cap and nothing in flight can change that.
        """
        while not self.has_room(most):
            if not self.in_flight:
                raise self.exhausted(most)
            self._settled.clear()
            await self._settled.wait()
        self.hold(most)

    def exhausted(self, most: Spent) -> BudgetError:
        """The cap that leaves no room for `most`, and what to do."""
        if self.cap_usd is not None and self.spent_usd + most.usd > self.cap_usd:
            return BudgetError(
                f"runtime.max_cost_usd={self.cap_usd:g} is reached: {self.spent_usd:.6f} USD is "
                f"spent on these requests and the next may cost {most.usd:.6f}; what is there is "
                f"kept: raise the cap (HORNBOOK_MAX_COST_USD) and run again to go on"
            )
        return BudgetError(
            f"runtime.max_total_tokens={self.cap_tokens} is reached: {self.spent_tokens:,} tokens "
            f"are spent on these requests and the next may take {most.tokens:,}; what is there is "
            f"kept: raise the cap (HORNBOOK_MAX_TOTAL_TOKENS) and run again to go on"
        )

    def settle(self, held: Spent, actual: Spent) -> None:
        """Replace a reservation by what the call took."""
        self.in_flight -= 1
        # no crumbs of rounding stay behind when nothing is held
        self.held_usd = self.held_usd - held.usd if self.in_flight else 0.0
        self.held_tokens -= held.tokens
        self.spent_usd += actual.usd
        self.spent_tokens += actual.tokens
        self._settled.set()
