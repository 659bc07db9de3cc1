"""Which of the ranks of a training this process is, as whoever started it said."""

import os
from dataclasses import dataclass

# as torchrun and DeepSpeed's launcher set them; the ranks of a machine each calls by its own name
_GIVEN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_HERE = ("LOCAL_WORLD_SIZE", "LOCAL_SIZE")


@dataclass(frozen=True)
class Place:
    """One rank of `size`; `local_rank` counts the `local_size` on the same machine."""

    rank: int
    size: int
    local_rank: int
    local_size: int


def given_place() -> Place | None:
    """The place that a launcher gave this process; None where it was started alone."""
    if not all(name in os.environ for name in _GIVEN):
        return None
    rank, size, local_rank = (int(os.environ[name]) for name in _GIVEN[:3])
    here = next((int(os.environ[name]) for name in _HERE if name in os.environ), size)
    return Place(rank, size, local_rank, here)
