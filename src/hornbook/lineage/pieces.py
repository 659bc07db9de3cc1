"""A file of a recorded artifact from DVC's cache, if it is there and still what was recorded."""

import json
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

from hornbook.lineage.cache import cached_file, cached_files


@dataclass(frozen=True)
class Missing:
    """Why a file cannot be read: the cache lacks it, or holds other bytes at `damaged`."""

    damaged: Path | None = None
    is_other_form: bool = False

    def __str__(self) -> str:
        """What is wrong, and what has to go first where something has."""
        if self.damaged is not None:
            return f"damaged in the cache: `rm {self.damaged}`, then"
        return "of another form" if self.is_other_form else "not in the cache here:"


def cached_piece(root: Path, out_hash: str, name: str) -> bytes | Missing:
    """The bytes of a file inside an artifact folder."""
    if (listing := damaged(root, out_hash)) is not None:
        return Missing(listing)
    digest = (cached_files(root, out_hash) or {}).get(name)
    if digest is None or not cached_file(root, digest).is_file():
        return Missing()
    if (file := damaged(root, digest)) is not None:
        return Missing(file)
    return cached_file(root, digest).read_bytes()


def cached_json(root: Path, out_hash: str, name: str) -> Any:  # noqa: ANN401 - any JSON
    """What a JSON file inside an artifact folder holds, or why it cannot be read."""
    content = cached_piece(root, out_hash, name)
    if isinstance(content, Missing):
        return content
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return Missing(is_other_form=True)


def damaged(root: Path, digest: str) -> Path | None:
    """Where the cache keeps other bytes than those of this hash; None where it keeps none such."""
    file = cached_file(root, digest)
    if not file.is_file() or is_of_hash(file, digest):
        return None
    return file


def is_of_hash(file: Path, digest: str) -> bool:
    """Whether a file holds the bytes of a hash of DVC's, also that of a listing."""
    found = md5(usedforsecurity=False)
    with file.open("rb") as opened:
        while part := opened.read(1 << 20):
            found.update(part)
    return found.hexdigest() == digest.removesuffix(".dir")
