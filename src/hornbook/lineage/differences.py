"""Where two sets of files differ: row and column, tensor and index, key path, line, or byte.

Numbers with a fraction may differ a little: `relative` is the distance of two of them over the
largest magnitude of their column or tensor (of the two alone, in JSON and text). Whole numbers,
texts and everything else are equal or not.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = 80  # characters of a value
BLOCK = 1 << 20
TEXTS = {".csv", ".md", ".txt", ".tex", ".html", ".jsonl", ".yaml"}


@dataclass(frozen=True)
class Difference:
    """One place where what is recorded and what was made again are not the same.

    `relative` is None where the two are not numbers with a fraction.
    """

    file: str
    place: str
    recorded: str
    remade: str
    relative: float | None = None

    def __str__(self) -> str:
        """A line for a person."""
        beside = "" if self.relative is None else f" (relative {self.relative:.3g})"
        return f"{self.file}, {self.place}: {self.recorded} recorded, {self.remade} now{beside}"


@dataclass(frozen=True)
class Compared:
    """What a comparison of files found.

    `first` is what no tolerance allows, or the first difference of all where there is no such;
    `largest` is the largest distance between two numbers.
    """

    files: int
    differing: tuple[str, ...]
    first: Difference | None
    largest: Difference | None
    is_within: bool  # the tolerance; true where nothing differs


def compare_files(
    recorded: Mapping[str, Path], remade: Mapping[str, Path], tolerance: float
) -> Compared:
    """What differs between files of the same names.

    Args:
        recorded: The files of the artifact by their name in it.
        remade: Likewise, of what was made again.
        tolerance: The largest relative distance that counts as the same.
    """
    differing: list[str] = []
    beyond: Difference | None = None
    first: Difference | None = None
    largest: Difference | None = None
    for name in sorted({*recorded, *remade}):
        for one in differences(name, recorded.get(name), remade.get(name)):
            differing += [] if name in differing else [name]
            first = first or one
            if one.relative is not None and (largest is None or one.relative > _size(largest)):
                largest = one
            if one.relative is None or not one.relative <= tolerance:
                beyond = beyond or one
    is_within = beyond is None
    names = len({*recorded, *remade})
    return Compared(names, tuple(differing), beyond or first, largest, is_within)


def _size(one: Difference) -> float:
    return one.relative if one.relative is not None else 0.0


def differences(name: str, recorded: Path | None, remade: Path | None) -> Iterator[Difference]:
    """The differences of one file, at most a few for each of its columns or tensors.

    Of each column or tensor come the first difference and, of numbers, the largest one.
    """
    if recorded is None or remade is None:
        there = ("nothing", "the file") if recorded is None else ("the file", "nothing")
        yield Difference(name, "as a whole", *there)
        return
    place = _first_byte(recorded, remade)
    if place is None:
        return
    read = {".parquet": _of_tables, ".safetensors": _of_tensors, ".json": _of_json}
    suffix = Path(name).suffix
    reader = read.get(suffix, _of_texts if suffix in TEXTS else None)
    found: list[Difference] = []
    if reader is not None:
        try:
            found = list(reader(name, recorded, remade))
        except (ValueError, OSError, KeyError, TypeError) as error:
            # half a file, or another format: the bytes still say where
            found = [_at_byte(name, place, recorded, remade, f" ({type(error).__name__})")]
    # the content may be the same, and only the way that it was written another
    yield from found or [_at_byte(name, place, recorded, remade, "")]


def _first_byte(one: Path, other: Path) -> int | None:
    """The offset of the first byte that differs; None where the files are equal."""
    offset = 0
    with one.open("rb") as a, other.open("rb") as b:
        while True:
            x, y = a.read(BLOCK), b.read(BLOCK)
            if x != y:
                pairs = zip(x, y, strict=False)
                return offset + next((n for n, (p, q) in enumerate(pairs) if p != q),
                                     min(len(x), len(y)))  # fmt: skip
            if not x:
                return None
            offset += len(x)


def _at_byte(name: str, place: int, recorded: Path, remade: Path, why: str) -> Difference:
    return Difference(name, f"byte {place:,}{why}", _byte(recorded, place), _byte(remade, place))


def _byte(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        found = file.read(1)
    return f"0x{found.hex()}" if found else "the end"


def _of_tables(name: str, recorded: Path, remade: Path) -> Iterator[Difference]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(recorded) as a, pq.ParquetFile(remade) as b:
        columns = a.schema_arrow.names
        if not a.schema_arrow.equals(b.schema_arrow):
            x, y = (_short(one.schema_arrow.to_string(), line=True) for one in (a, b))
            yield Difference(name, "columns", x, y)
            return
        if a.metadata.num_rows != b.metadata.num_rows:
            x, y = (f"{one.metadata.num_rows:,} rows" for one in (a, b))
            yield Difference(name, "rows", x, y)
        for column in columns:
            pair = (one.read([column]).column(0).to_pylist() for one in (a, b))
            yield from _of_columns(name, column, *pair)


def _of_columns(name: str, column: str, a: list[Any], b: list[Any]) -> Iterator[Difference]:
    """The first difference of a column, and of numbers the largest."""
    pairs = list(enumerate(zip(a, b, strict=False)))
    unequal = [row for row, (x, y) in pairs if not _is_same(x, y)]
    if not unequal:
        return
    is_float = all(isinstance(x, float) and isinstance(y, float)
                   for row in unequal for x, y in [(a[row], b[row])])  # fmt: skip
    if not is_float:
        row = unequal[0]
        yield Difference(name, f"row {row:,}, column {column}", _short(a[row]), _short(b[row]))
        return
    scale = max((abs(x) for x in a if x is not None and math.isfinite(x)), default=0.0)
    relative = {row: _relative(a[row], b[row], scale) for row in unequal}
    for row in dict.fromkeys([unequal[0], max(unequal, key=lambda one: relative[one])]):
        place = f"row {row:,}, column {column}"
        yield Difference(name, place, repr(a[row]), repr(b[row]), relative[row])


def _is_same(x: Any, y: Any) -> bool:  # noqa: ANN401 - any value of a file
    return x == y or (isinstance(x, float) and isinstance(y, float)
                      and math.isnan(x) and math.isnan(y))  # fmt: skip


def _relative(x: float, y: float, scale: float) -> float:
    """How far two numbers are from each other; without end where one is no finite number."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return math.inf
    scale = max(scale, abs(x)) or abs(y)
    return abs(x - y) / scale if scale else 0.0


def _of_tensors(name: str, recorded: Path, remade: Path) -> Iterator[Difference]:
    from safetensors import safe_open

    with safe_open(recorded, "pt") as a, safe_open(remade, "pt") as b:
        names = [sorted(one.keys()) for one in (a, b)]
        if names[0] != names[1]:
            alone = min(set(names[0]) ^ set(names[1]))
            x, y = ("there" if alone in one else "missing" for one in names)
            yield Difference(name, f"tensor {alone}", x, y)
            return
        for tensor in names[0]:
            x, y = a.get_tensor(tensor), b.get_tensor(tensor)
            if x.dtype != y.dtype or not x.equal(y):
                yield from _of_arrays(name, tensor, x, y)


def _of_arrays(name: str, tensor: str, a: Any, b: Any) -> Iterator[Difference]:  # noqa: ANN401 - tensors of torch
    """The first and the largest difference of a tensor."""
    if a.dtype != b.dtype or a.shape != b.shape:
        p, q = (f"{one.dtype} {list(one.shape)}" for one in (a, b))
        yield Difference(name, f"tensor {tensor}", p, q)
        return
    is_float = a.is_floating_point()
    x, y = (one.double().numpy() if is_float else one.numpy() for one in (a, b))
    chosen, relative = _chosen(x, y, is_float=is_float)
    for at in chosen:
        index = ", ".join(map(str, at))
        distance = float(relative[at]) if relative is not None else None
        yield Difference(name, f"tensor {tensor}[{index}]", str(x[at]), str(y[at]), distance)


def _chosen(
    x: "NDArray[Any]", y: "NDArray[Any]", *, is_float: bool
) -> "tuple[list[tuple[int, ...]], NDArray[np.float64] | None]":
    """The indices of the first and the largest difference, and all relative distances."""
    import numpy as np

    both_nan = np.isnan(x) & np.isnan(y) if is_float else np.zeros(x.shape, bool)
    places = np.flatnonzero((x != y) & ~both_nan)
    if not len(places):
        return [], None
    chosen, relative = [int(places[0])], None
    if is_float:
        is_finite = np.isfinite(x) & np.isfinite(y)
        scale = float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.abs(x - y) / (scale or float(np.max(np.abs(y))))
        relative = np.where(both_nan, 0.0, np.where(is_finite, distance, np.inf))
        chosen.append(int(np.argmax(relative)))
    indices = (np.unravel_index(one, x.shape) for one in dict.fromkeys(chosen))
    return [tuple(int(n) for n in one) for one in indices], relative


def _of_json(name: str, recorded: Path, remade: Path) -> Iterator[Difference]:
    a, b = (json.loads(path.read_text("utf-8")) for path in (recorded, remade))
    yield from _of_values(name, "", a, b)


def _of_values(name: str, path: str, a: Any, b: Any) -> Iterator[Difference]:  # noqa: ANN401 - any JSON
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            place = f"{path}.{key}" if path else str(key)
            if key not in a or key not in b:
                there = ("missing", "there") if key not in a else ("there", "missing")
                yield Difference(name, place, *there)
            else:
                yield from _of_values(name, place, a[key], b[key])
    elif isinstance(a, list) and isinstance(b, list):
        for number, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from _of_values(name, f"{path}[{number}]", x, y)
        if len(a) != len(b):
            yield Difference(name, path or "the list", f"{len(a)} entries", f"{len(b)} entries")
    elif a != b or type(a) is not type(b):
        yield Difference(name, path or "the value", _short(a), _short(b), _fraction(a, b))


def distance(a: Any, b: Any) -> float | None:  # noqa: ANN401 - any JSON
    """The largest relative distance in two values of one form, over their largest number.

    None where something else than numbers differs.
    """
    x, y = list(_leaves(a)), list(_leaves(b))
    if len(x) != len(y):
        return None
    scale = max((abs(one) for one in x if isinstance(one, float)), default=0.0)
    most = 0.0
    for p, q in zip(x, y, strict=True):
        if isinstance(p, float) and isinstance(q, float):
            most = max(most, _relative(p, q, scale))
        elif p != q:
            return None
    return most


def _leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _leaves(one)
    else:
        yield value


def _fraction(a: Any, b: Any) -> float | None:  # noqa: ANN401 - any JSON
    """The relative distance of two numbers of which one has a fraction; None of anything else."""
    numbers = [one for one in (a, b) if isinstance(one, int | float) and type(one) is not bool]
    if len(numbers) < 2 or not any(isinstance(one, float) for one in numbers):
        return None
    return _relative(float(a), float(b), abs(float(b)))


def _of_texts(name: str, recorded: Path, remade: Path) -> Iterator[Difference]:
    """The first line that differs; of a table in CSV, each cell that does."""
    lines = [path.read_text("utf-8").splitlines() for path in (recorded, remade)]
    is_table = name.endswith(".csv")
    for number, (x, y) in enumerate(zip(*lines, strict=False), 1):
        if x == y:
            continue
        cells = list(zip(x.split(","), y.split(","), strict=False))
        if not is_table or x.count(",") != y.count(","):
            yield Difference(name, f"line {number:,}", _short(x), _short(y))
            return
        header = lines[0][0].split(",")
        for column, (p, q) in enumerate(cells):
            if p != q:
                where = header[column] if column < len(header) else str(column)
                place = f"line {number:,}, column {where}"
                relative = _fraction(_parse(p), _parse(q))
                yield Difference(name, place, p or "empty", q or "empty", relative)
    if len(lines[0]) != len(lines[1]):
        a, b = (f"{len(one):,} lines" for one in lines)
        yield Difference(name, "lines", a, b)


def _parse(cell: str) -> Any:  # noqa: ANN401 - a number or the text itself
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _short(value: Any, *, line: bool = False) -> str:  # noqa: ANN401 - any value of a file
    text = str(value).replace("\n", "; ") if line else json.dumps(
        value, ensure_ascii=False, default=str
    )  # fmt: skip
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
