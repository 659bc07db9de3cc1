"""Objects of DVC's cache that nothing refers to, and freeing them by DVC's own collector.

What refers to an object: `dvc.lock` and the `.dvc` files of the work tree, of the tip of every
branch (fetched ones too), of every tag and of every experiment, and the pages of the report, which
name artifacts by their hashes. An older commit alone does not.
"""

import json
import logging
import re
import subprocess
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.errors import ConfigError, StageError
from hornbook.lineage.cache import RunCache, cache_folder, cached_file, is_own_cache, users
from hornbook.lineage.holding import cache_alone
from hornbook.lineage.leftovers import experiments_running, stages_running

PAGES = "artifacts/report"
NAMED = re.compile(rb"\b[0-9a-f]{32}(?:\.dir)?\b")


@dataclass(frozen=True)
class Unused:
    """An object of the cache that nothing refers to; `made_by` is the family of its stage."""

    digest: str
    path: Path
    bytes: int
    made_by: str


@dataclass(frozen=True)
class Cache:
    """What of the cache can go, and why it stays nevertheless, where it does."""

    unused: Sequence[Unused]
    num_used: int
    kept_because: str | None


def unused(root: Path, checkouts: Sequence[Path] = ()) -> Cache:
    """What nothing refers to, in this checkout and the others of `checkouts` on the same cache.

    Raises:
        ConfigError: One of `checkouts` is none.
        StageError: DVC could not say what is referred to.
    """
    with _collector(root, checkouts) as (repo, used):
        there = [digest for _, odb in _stores(repo) for digest in odb.all()]
    makers = _makers(root)
    found: list[Unused] = []
    for digest in sorted(set(there) - used):
        path = cached_file(root, digest)
        if path.is_file():
            made_by = makers.get(digest, "unknown")
            found.append(Unused(digest, path, path.stat().st_size, made_by))
    return Cache(found, len(used & set(there)), _kept_because(root, checkouts))


def free(root: Path, checkouts: Sequence[Path] = ()) -> int:
    """Have DVC remove what nothing refers to at this moment; how many objects these were.

    Raises:
        StageError: A stage or an experiment runs meanwhile.
    """
    from dvc_data.hashfile.gc import gc

    with cache_alone(root), _collector(root, checkouts) as (repo, used):
        if reason := _kept_because(root, checkouts):
            raise StageError(f"DVC's cache was left as it is: {reason}")
        return sum(gc(odb, _infos(odb, used)) for _, odb in _stores(repo))


def _infos(odb: Any, used: Iterable[str]) -> list[Any]:  # noqa: ANN401 - DVC has no types
    from dvc_data.hashfile.hash_info import HashInfo

    return [HashInfo(odb.hash_name, digest) for digest in used]


def _stores(repo: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - DVC has no types
    """The local stores of objects, each once."""
    found = {id(odb): (scheme, odb) for scheme, odb in repo.cache.by_scheme() if odb}
    return list(found.values())


@contextmanager
def _collector(root: Path, checkouts: Sequence[Path]) -> Generator[tuple[Any, set[str]]]:
    """DVC's repository under its lock, and the hashes of all that is referred to."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    used: set[str] = set()
    try:
        with ExitStack() as stack:  # nobody records anything anywhere until it is over
            for one in others(root, checkouts):
                other = stack.enter_context(Repo(str(one), _wait_for_lock=True))
                stack.enter_context(lock_repo(other))
                used |= _referred(other, one)
            repo = stack.enter_context(Repo(str(root), _wait_for_lock=True))
            stack.enter_context(lock_repo(repo))
            yield repo, used | _referred(repo, root) | _named_by_pages(root)
    except DvcException as error:
        raise StageError(
            f"DVC cannot say what of its cache is referred to, so nothing is freed: {error}"
        ) from error


def others(root: Path, checkouts: Sequence[Path]) -> list[Path]:
    """The checkouts on the same cache: those that are named, and those that are known.

    Raises:
        ConfigError: One that is named is no checkout.
    """
    for one in checkouts:
        if not (one / ".dvc").is_dir():
            raise ConfigError(f"--checkout {one}: this is no DVC checkout")
    found = dict.fromkeys(one.resolve() for one in (*checkouts, *users(root)))
    return [one for one in found if one != root.resolve()]


def _referred(repo: Any, root: Path) -> set[str]:  # noqa: ANN401 - DVC has no types
    """Hashes that the work tree, branches, tags and experiments of a checkout refer to."""
    found = repo.used_objs(
        revs=_fetched(root), all_branches=True, all_tags=True, all_experiments=True, force=True
    )
    return {info.value for infos in found.values() for info in infos if info.value}


def _fetched(root: Path) -> list[str]:
    """The branches of remotes, and of other work trees the commit that they stand at."""
    heads = ["git", "for-each-ref", "--format=%(refname)", "refs/remotes"]
    trees = ["git", "worktree", "list", "--porcelain"]
    refs, listed = (
        subprocess.run(one, cwd=root, capture_output=True, text=True, check=False).stdout
        for one in (heads, trees)
    )
    return [*refs.split(), *re.findall(r"^HEAD ([0-9a-f]{40,})$", listed, re.MULTILINE)]


def _named_by_pages(root: Path) -> set[str]:
    """What the report's files name by hash: artifacts that dvc.lock may have left behind by now."""
    named: set[str] = set()
    for file in sorted((root / PAGES).rglob("*")):
        if file.is_file():
            named |= {match.decode() for match in NAMED.findall(file.read_bytes())}
    there = {digest for digest in named if cached_file(root, digest).is_file()}
    return there | {inner for digest in there for inner in _inside(root, digest)}


def _inside(root: Path, digest: str) -> list[str]:
    """The files of a cached folder."""
    if not digest.endswith(".dir"):
        return []
    try:
        rows = json.loads(cached_file(root, digest).read_text("utf-8"))
        return [row["md5"] for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _makers(root: Path) -> dict[str, str]:
    """The family of the stage that made an object, as far as DVC remembers its run."""
    found: dict[str, str] = {}
    for entry in RunCache(root).entries():
        words = entry.cmd.split()
        after = words.index("hornbook") + 1 if "hornbook" in words[:-1] else 0
        for digest in entry.outs.values():
            for one in (digest, *_inside(root, digest)):
                found.setdefault(one, words[after] if words else "unknown")
    return found


def _kept_because(root: Path, checkouts: Sequence[Path]) -> str | None:
    """Why nothing of the cache goes now; None where it can."""
    if not is_own_cache(root) and not checkouts:
        return (
            f"the cache is at {cache_folder(root).resolve()}, where other checkouts may have "
            f"theirs too; name each with --checkout PATH, or this one alone: --checkout ."
        )
    for one in (root, *others(root, checkouts)):
        if running := [*stages_running(one), *experiments_running(one)]:
            return f"in use: {'; '.join(running[:3])}"
    return None
