"""Flat tensors that lie in parts, one for each rank that wrote some of them.

A part [start, stop) of the flat tensor `name` is called `name[start:stop]`, in memory and in
files; a tensor that is not cut keeps its plain name, and all parts hold the same one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

_PART = re.compile(r"(.+)\[(\d+):(\d+)\]")


def part_name(name: str, start: int, stop: int) -> str:
    """What the part [start, stop) of a flat tensor is called."""
    return f"{name}[{start}:{stop}]"


@dataclass(frozen=True)
class _Piece:
    start: int
    stop: int
    read: Callable[[int, int], Tensor]  # of its own numbers


class Parts(Mapping[str, Tensor]):
    """Whole tensors, put together from parts when they are asked for.

    `cut` reads no more than is asked for, so that each of many ranks takes its own from files of
    another number of ranks.
    """

    def __init__(self) -> None:
        self._whole: dict[str, Callable[[], Tensor]] = {}
        self._pieces: dict[str, list[_Piece]] = {}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Parts":
        """Parts that are in memory."""
        found = cls()
        for name, tensor in tensors.items():
            found._add(name, tensor.__getitem__, lambda tensor=tensor: tensor)
        return found

    @classmethod
    def in_files(cls, files: "list[Path]") -> "Parts":
        """Parts in safetensors files, read when they are asked for."""
        from safetensors import safe_open

        found = cls()
        for file in files:
            opened = safe_open(file, framework="pt")  # a memory map: costs nothing until read
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                found._add(
                    name,
                    lambda part, opened=opened, name=name: opened.get_slice(name)[part],
                    lambda opened=opened, name=name: opened.get_tensor(name),
                )
        return found

    def cut(self, name: str, start: int, stop: int) -> Tensor:
        """The numbers [start, stop) of a flat tensor.

        Raises:
            KeyError: The parts do not hold them.
        """
        if name in self._whole:
            return self._whole[name]()[start:stop]
        taken: list[Tensor] = []
        at = start
        for piece in sorted(self._pieces[name], key=lambda one: one.start):
            if piece.start <= at < piece.stop and at < stop:
                end = min(stop, piece.stop)
                taken.append(piece.read(at - piece.start, end - piece.start))
                at = end
        if at < stop:
            raise KeyError(f"{name}: numbers {at:,} to {stop:,} are in no part")
        return torch.cat(taken) if taken else torch.empty(0)

    def __getitem__(self, name: str) -> Tensor:
        """The whole tensor."""
        if name in self._whole:
            return self._whole[name]()
        return self.cut(name, 0, max(piece.stop for piece in self._pieces[name]))

    def __iter__(self) -> Iterator[str]:
        yield from sorted({*self._whole, *self._pieces})

    def __len__(self) -> int:
        return len(self._whole) + len(self._pieces)

    def _add(self, name: str, part: Callable[[slice], Tensor], whole: Callable[[], Tensor]) -> None:
        match = _PART.fullmatch(name)
        if match is None:
            self._whole[name] = whole
            return
        start, stop = int(match[2]), int(match[3])
        piece = _Piece(start, stop, lambda first, last: part(slice(first, last)))
        self._pieces.setdefault(match[1], []).append(piece)
