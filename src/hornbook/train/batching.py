"""A batch over ranks and forward passes."""

from collections.abc import Iterator

from hornbook.errors import ConfigError


def misfit(batch_sequences: int, micro_sequences: int, ranks: int) -> str | None:
    """Why a batch cannot be spread over ranks and passes; None where it can."""
    per_pass = micro_sequences * ranks
    if min(batch_sequences, micro_sequences, ranks) < 1:
        return (
            f"train.batch_sequences={batch_sequences}, train.micro_sequences={micro_sequences}, "
            f"train.ranks={ranks}: expected 1 or more of each"
        )
    if batch_sequences % per_pass == 0:
        return None
    nearest = max(1, round(batch_sequences / per_pass)) * per_pass
    each, rest = divmod(batch_sequences, ranks)
    fitting = max(size for size in range(1, micro_sequences + 1) if each % size == 0)
    smaller = "" if rest else f", or with this batch train.micro_sequences={fitting}"
    return (
        f"train.batch_sequences={batch_sequences} is not a multiple of {per_pass} "
        f"(train.micro_sequences={micro_sequences} x train.ranks={ranks}); the nearest batch that "
        f"fits is {nearest}{smaller}"
    )


def accumulation_steps(batch_sequences: int, micro_sequences: int, ranks: int) -> int:
    """Forward passes each rank runs before one optimizer step."""
    assert not misfit(batch_sequences, micro_sequences, ranks), "settings are checked by `Train`"
    return batch_sequences // (micro_sequences * ranks)


def micro_rows(
    batch_sequences: int, micro_sequences: int, *, ranks: int, rank: int
) -> Iterator[slice]:
    """The rows of a batch that `rank` takes in each of its forward passes."""
    passes = accumulation_steps(batch_sequences, micro_sequences, ranks)
    for number in range(passes):
        first = (number * ranks + rank) * micro_sequences
        yield slice(first, first + micro_sequences)


def num_steps(budget_tokens: int, batch_sequences: int, context_tokens: int) -> int:
    """Whole optimizer steps within a budget.

    Raises:
        ConfigError: There is none.
    """
    step_tokens = batch_sequences * context_tokens
    if budget_tokens < step_tokens:
        raise ConfigError(
            f"mixture.json: budget_tokens={budget_tokens:,} is less than one step of "
            f"{step_tokens:,} tokens (train.batch_sequences={batch_sequences} x "
            f"model.context_tokens={context_tokens}); raise the budget or lower the batch"
        )
    return budget_tokens // step_tokens
