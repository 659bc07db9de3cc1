"""The processes of one training and what they tell each other.

Axis letters in this file: R rank.
"""

import atexit
import os
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import HashStore, PrefixStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.rendezvous import rendezvous

from hornbook.errors import ConfigError, PeerError
from hornbook.train.config import Train
from hornbook.train.place import given_place

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

# a rank may hash its inputs or write a model while the others wait for it
_PATIENCE = timedelta(hours=2)
_LOST = ("connection closed", "connection reset", "broken pipe", "timed out", "socket timeout")


class Ranks:
    """This process among the processes of a training; alone, it tells itself.

    All ranks call the same methods in the same order.

    Attributes:
        rank: From 0; the first one writes what all know.
        size: How many there are.
        device: Where this one computes.
    """

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank, self.size, self.device = rank, size, device

    @property
    def is_first(self) -> bool:
        """Whether this one writes the artifact."""
        return self.rank == 0

    def gather(self, own: Tensor) -> Tensor:
        """The tensors of all ranks, of one shape and dtype, under a new first axis R."""
        if self.size == 1:
            return own[None]
        found = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(found, own.contiguous())
        return torch.stack(found)

    def numbers(self, own: Sequence[float]) -> list[list[float]]:
        """The numbers of each rank."""
        return self.gather(torch.tensor(own, dtype=torch.float64, device=self.device)).tolist()

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether a rank raised it."""
        if self.size == 1:
            return flags
        told = self.numbers([float(flag) for flag in flags])
        return tuple(any(column) for column in zip(*told, strict=True))

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.size > 1:
            self.any(False)


@contextmanager
def joined(settings: Train) -> Generator[Ranks]:
    """This process as one of `train.ranks`, connected to the others.

    Raises:
        ConfigError: A launcher started another number of ranks, nobody started this one as a
            rank, or the machine has fewer GPUs than ranks.
        PeerError: Another rank went away.
    """
    place = given_place()
    if place is None and settings.ranks > 1:
        raise ConfigError(
            f"train.ranks={settings.ranks}, but this process was started alone; `python -m "
            f"hornbook train VARIANT` starts its ranks, `torchrun -m hornbook train VARIANT` too"
        )
    device = _device(settings, place.local_rank if place else 0)
    if settings.engine == "torch":
        yield Ranks(0, 1, device)
        return
    with _lost_peers(place.rank if place else 0, settings.ranks):
        rank, size = (place.rank, place.size) if place else (0, 1)
        _connect(device, rank, size)
        yield Ranks(rank, size, device)


def _connect(device: torch.device, rank: int, size: int) -> None:
    """One process group for the life of the process: DeepSpeed remembers the first one it saw."""
    if dist.is_initialized():
        return
    store = meeting_point() if size > 1 else HashStore()
    is_cuda = device.type == "cuda"
    try:
        dist.init_process_group(
            "nccl" if is_cuda else "gloo",
            store=PrefixStore("train", store),
            rank=rank,
            world_size=size,
            timeout=_PATIENCE,
            device_id=device if is_cuda and size > 1 else None,
        )
    except RuntimeError as error:
        if "ddress for" not in str(error):
            raise
        known = ", ".join(name for _, name in socket.if_nameindex())
        variable = "NCCL_SOCKET_IFNAME" if is_cuda else "GLOO_SOCKET_IFNAME"
        raise ConfigError(
            f"rank {rank} has no network address ({str(error).splitlines()[0][-80:]}); set "
            f"{variable} to the interface on which the machines see each other: {known}"
        ) from error
    atexit.register(dist.destroy_process_group)


@cache
def meeting_point() -> "Store":
    """The store at MASTER_ADDR and MASTER_PORT, through which ranks find each other.

    Raises:
        ConfigError: The port is taken by somebody else.
    """
    try:
        store, _, _ = next(rendezvous("env://", timeout=_PATIENCE))
    except dist.DistNetworkError as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        if "EADDRINUSE" not in str(error):
            raise ConfigError(f"the ranks cannot meet at {where}: {error}") from error
        raise ConfigError(
            f"the ranks cannot meet at {where}: the port is in use; set runtime.master_port "
            f"(HORNBOOK_MASTER_PORT) to a free one, or to null for any"
        ) from error
    return store


def _device(settings: Train, local_rank: int) -> torch.device:
    if settings.device == "cpu":
        return torch.device("cpu")
    found = torch.cuda.device_count()
    if local_rank >= found:
        raise ConfigError(
            f"train.ranks={settings.ranks} puts rank {local_rank} on this machine, which has "
            f"{found} GPUs, one per rank; lower train.ranks or name more machines "
            f"(docs/cluster.md)"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


@contextmanager
def _lost_peers(rank: int, size: int) -> Generator[None]:
    """What a collective raises when another rank is gone, as an error that says so."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if not isinstance(error, dist.DistError) and not any(word in text for word in _LOST):
            raise
        raise PeerError(
            f"rank {rank} of {size} lost another one ({str(error).splitlines()[0][-120:]}); what "
            f"ended that one is in its own message"
        ) from error
