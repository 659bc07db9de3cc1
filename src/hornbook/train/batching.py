"""A batch over ranks and forward passes."""

from collections.abc import Iterator

from hornbook.errors import ConfigError


def accumulation_steps(batch_sequences: int, micro_sequences: int, ranks: int) -> int:
    """Forward passes each rank runs before one optimizer step.

    Raises:
        ConfigError: The batch does not divide evenly.
    """
    per_pass = micro_sequences * ranks
    if batch_sequences < 1 or per_pass < 1 or batch_sequences % per_pass:
        nearest = max(1, batch_sequences // max(per_pass, 1)) * max(per_pass, 1)
        raise ConfigError(
            f"train.batch_sequences={batch_sequences} is not a multiple of {per_pass} "
            f"(train.micro_sequences={micro_sequences} x train.ranks={ranks}); "
            f"the nearest that fits is {nearest}"
        )
    return batch_sequences // per_pass


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
