"""Input files of a corpus: those of a folder, and those that a `*.sources.yaml` in it lists.

A list names what is too large or too far away to lie in the folder:

    - url: s3://commoncrawl/crawl-data/CC-MAIN-2024-10/segments/*/warc/*.warc.gz
    - dataset: HuggingFaceFW/fineweb
      config: sample-10BT
      split: train
      revision: <commit of the data set>

`url` is whatever fsspec opens, also with wildcards; a path without a scheme is taken from the
folder of the list. `dataset` is a data set of the Hugging Face hub by its name, or a folder.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT
from hornbook.errors import InputError

LIST = ".sources.yaml"
TRIES = 4
FIRST_WAIT_SECONDS = 1.0
BLOCK = 1 << 20


class InputFile(NamedTuple):
    """A file to read: where it is, how the record calls it, and what says that it is the same."""

    name: str
    place: str  # a path, or a URL
    num_bytes: int
    version: str  # of a remote file: its entity tag, checksum or commit; empty where there is none

    @property
    def is_remote(self) -> bool:
        """Whether it has to be fetched."""
        return "://" in self.place


@dataclass(frozen=True, config=STRICT)
class Url:
    """Files that fsspec opens."""

    url: str


@dataclass(frozen=True, config=STRICT)
class Dataset:
    """A data set of the Hugging Face hub."""

    dataset: str
    split: str = "train"
    config: str | None = None
    revision: str | None = None


def input_files(
    place: Path, include: Sequence[str], accepts: Callable[[str], bool]
) -> list[InputFile]:
    """The files at `place` that match a glob of `include` and that are accepted by name, sorted.

    A list among them stands for what it names. `place` may be one file, or one list.

    Raises:
        InputError: A list cannot be read or names something that cannot be found.
    """
    if place.is_file():
        return _of_file(place.parent, place)
    found = {file for glob in include for file in place.glob(glob) if file.is_file()}
    lists = {file for file in place.rglob(f"*{LIST}") if file.is_file()}
    files = [file for file in found | lists if file in lists or accepts(file.name)]
    listed = [one for file in sorted(files) for one in _of_file(place, file)]
    return sorted({one for one in listed if accepts(one.name)})


def _of_file(base: Path, file: Path) -> list[InputFile]:
    if file.name.endswith(LIST):
        return list(_listed(file))
    return [InputFile(file.relative_to(base).as_posix(), str(file), file.stat().st_size, "")]


def _listed(file: Path) -> Iterator[InputFile]:
    for entry in _entries(file):
        urls = [entry.url] if isinstance(entry, Url) else _files_of(entry, file)
        for url in urls:
            yield from _matching(url, file)


def _entries(file: Path) -> list[Url | Dataset]:
    """What a list says.

    Raises:
        InputError: It is no list, or an entry is neither of the two kinds; the entry is shown.
    """
    form = "each entry is `- url: ...`, or `- dataset: ...` with split, config and revision"
    try:
        value = yaml.safe_load(file.read_text("utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise InputError(
            f"{file} is not a list of sources, it is no YAML: {told}; {form}"
        ) from error
    if not isinstance(value, list):
        raise InputError(f"{file} is not a list of sources but {type(value).__name__}; {form}")
    found: list[Url | Dataset] = []
    for number, entry in enumerate(cast("list[Any]", value), 1):
        kind = Dataset if isinstance(entry, dict) and "dataset" in entry else Url
        try:
            found.append(TypeAdapter[Url | Dataset](kind).validate_python(entry))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise InputError(
                f"{file} is not a list of sources: entry {number} is {entry!r}, {where}: "
                f"{first['msg']}; {form}"
            ) from error
    return found


def _files_of(entry: Dataset, file: Path) -> list[str]:
    """The data files of a split, at the revision that the hub has for it now if none is given."""
    from datasets import load_dataset_builder

    beside = file.parent / entry.dataset
    name = str(beside) if beside.is_dir() else entry.dataset
    try:
        builder: Any = load_dataset_builder(name, entry.config, revision=entry.revision)
    except (ConnectionError, OSError, ValueError) as error:
        raise InputError(
            f"{file}: data set {entry.dataset!r}, config {entry.config!r}: {error}; is the name "
            f"right, and may this machine reach the hub (HF_HUB_OFFLINE is not set)?"
        ) from error
    splits: dict[str, list[str]] = builder.config.data_files or {}
    if entry.split not in splits:
        raise InputError(
            f"{file}: data set {entry.dataset!r} has no split {entry.split!r}; "
            f"it has {', '.join(sorted(map(str, splits))) or 'none that is made of files'}"
        )
    return [str(one) for one in splits[entry.split]]


def _matching(url: str, file: Path) -> Iterator[InputFile]:
    """The files of a URL with or without wildcards."""
    from fsspec.core import url_to_fs

    whole = url if "://" in url else str(file.parent / url)
    try:
        system, path = url_to_fs(whole)
        found: list[str] = sorted(system.glob(path)) if any(c in path for c in "*?[") else [path]
        infos: list[dict[str, Any]] = [system.info(one) for one in found]
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{file}: {url}: {type(error).__name__}: {error}") from error
    infos = [info for info in infos if info["type"] == "file"]
    if not infos:
        raise InputError(f"{file}: nothing matches {url}")
    for info in infos:
        is_local = "file" in system.protocol
        place = info["name"] if is_local else system.unstrip_protocol(info["name"])
        name = str(Path(place).relative_to(file.parent)) if (
            is_local and Path(place).is_relative_to(file.parent)
        ) else place  # fmt: skip
        yield InputFile(name, place, int(info.get("size") or 0), _version(info))


def _version(info: dict[str, Any]) -> str:
    """What the server says of the content; never a time."""
    for key in ("ETag", "etag", "sha256", "md5Hash", "md5", "blob_id"):
        if info.get(key):
            return str(info[key]).strip('"')
    return ""


@contextmanager
def fetched(file: InputFile, folder: Path) -> Generator[Path]:
    """The file as a local path; a remote one is copied below `folder` and goes when it was read.

    Raises:
        InputError: It cannot be fetched.
    """
    if not file.is_remote:
        yield Path(file.place)
        return
    import fsspec

    # the end of the name says how to read it
    local = folder / f"fetched-{Path(file.place.partition('?')[0]).name}"
    try:
        for attempt in range(TRIES):
            try:
                with fsspec.open(file.place, "rb") as opened, local.open("wb") as copy:
                    remote: Any = opened
                    while block := remote.read(BLOCK):
                        copy.write(block)
                break
            except (OSError, ValueError, ImportError) as error:
                if attempt == TRIES - 1 or isinstance(error, FileNotFoundError | ImportError):
                    raise InputError(
                        f"{file.place} cannot be fetched: {type(error).__name__}: {error}; "
                        f"what is finished is kept, run it again"
                    ) from error
                time.sleep(FIRST_WAIT_SECONDS * 2**attempt)
        yield local
    finally:
        local.unlink(missing_ok=True)


def grouped(files: Sequence[InputFile], num_bytes: int) -> list[list[InputFile]]:
    """Files in their order, in groups of at most `num_bytes` or of one file."""
    groups: list[list[InputFile]] = []
    room = 0
    for file in files:
        if not groups or file.num_bytes > room:
            groups.append([])
            room = num_bytes
        groups[-1].append(file)
        room -= file.num_bytes
    return groups
