"""Files of any recorded artifact, read from DVC's cache without checking anything out."""

import json
import os
from pathlib import Path


def cached_file(root: Path, digest: str) -> Path:
    """Where DVC's local cache keeps an object, whether it is there or not."""
    cache = Path(os.environ.get("DVC_ROOT", root)) / ".dvc" / "cache" / "files" / "md5"
    return cache / digest[:2] / digest[2:]


def cached_text(root: Path, out_hash: str, name: str) -> str | None:
    """The text of a file inside an artifact folder; None where the cache lacks it."""
    listing = cached_file(root, out_hash)
    if not listing.exists():
        return None
    for row in json.loads(listing.read_text("utf-8")):
        if row["relpath"] == name:
            file = cached_file(root, row["md5"])
            return file.read_text("utf-8") if file.exists() else None
    return None
