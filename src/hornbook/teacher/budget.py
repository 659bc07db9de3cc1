"""What calls cost, and the cap that holds while many of them are in flight."""

import asyncio
from typing import Any

from hornbook.errors import BudgetError
from hornbook.teacher.config import Price, Teacher

TOKENS_AROUND_MESSAGE = 16  # what chat templates put around a message, at most


def price_of(teacher: Teacher) -> Price:
    """The price of the configured model.

    Raises:
        BudgetError: It has none: an unknown price is not zero.
    """
    if teacher.model not in teacher.prices:
        raise BudgetError(
            f"teacher.prices has no {teacher.model!r}; it has {sorted(teacher.prices)}; add "
            f"{{prompt: USD, completion: USD}} per million tokens in conf/teacher/"
        )
    return teacher.prices[teacher.model]


def cost_usd(price: Price, prompt_tokens: int, completion_tokens: int) -> float:
    """Dollars for tokens."""
    return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1e6


class Budget:
    """A cap in dollars: the most a call can cost is held before it and settled after it."""

    def __init__(self, price: Price, cap_usd: float | None, *, spent_usd: float) -> None:
        self.price, self.cap_usd, self.spent_usd = price, cap_usd, spent_usd
        self.held_usd = 0.0
        self.in_flight = 0
        self._settled = asyncio.Event()

    async def reserve(self, body: dict[str, Any]) -> float:
        """Hold the most that a call can cost, after waiting for calls that may leave room.

        Raises:
            BudgetError: It would exceed the cap and nothing in flight can change that.
        """
        most = self._most(body)
        while self.cap_usd is not None and self.spent_usd + self.held_usd + most > self.cap_usd:
            if not self.in_flight:
                raise BudgetError(
                    f"runtime.max_cost_usd={self.cap_usd:g} is reached: {self.spent_usd:.6f} USD "
                    f"is spent on these requests and the next may cost {most:.6f}; what is there "
                    f"is kept: raise the cap (HORNBOOK_MAX_COST_USD) and run again to go on"
                )
            self._settled.clear()
            await self._settled.wait()
        self.held_usd += most
        self.in_flight += 1
        return most

    def settle(self, reserved_usd: float, actual_usd: float) -> None:
        """Replace a reservation by what the call cost."""
        self.in_flight -= 1
        # no crumbs of rounding stay behind when nothing is held
        self.held_usd = self.held_usd - reserved_usd if self.in_flight else 0.0
        self.spent_usd += actual_usd
        self._settled.set()

    def _most(self, body: dict[str, Any]) -> float:
        # a token has at least one byte
        prompt = sum(
            len(message["content"].encode()) + TOKENS_AROUND_MESSAGE for message in body["messages"]
        )
        return cost_usd(self.price, prompt, body["max_tokens"])
