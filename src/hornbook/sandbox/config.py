"""Schema of the sandbox's limits."""

from typing import Literal

from pydantic.dataclasses import dataclass

from hornbook.config import STRICT


@dataclass(frozen=True, config=STRICT)
class Sandbox:
    """What a program may use."""

    mode: Literal["bubblewrap", "rlimit"]  # rlimit is weaker, and marked in every result
    cpu_seconds: int
    wall_seconds: float
    memory_mib: int
    file_mib: int
    processes: int
    output_bytes: int
