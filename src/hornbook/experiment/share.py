"""Experiments between clones: the commit through git, the wanted artifacts through DVC's remote.

`dvc exp push` and `pull` move every artifact of a revision, checkpoints too; here stages are named.
Artifacts go before the reference, so that who sees an experiment can have what it says it has.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.diff.revisions import experiments
from hornbook.errors import ConfigError, InputError
from hornbook.experiment.git import git, without_secrets
from hornbook.experiment.records import TABLES, Record, known_experiment
from hornbook.lineage.cache import is_cached
from hornbook.report.statistics import size

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB
    from dvc_data.hashfile.hash_info import HashInfo

Tell = Callable[[str], None]


def push(root: Path, name: str, stages: Sequence[str], *, git_remote: str, tell: Tell) -> None:
    """Give an experiment to others, with the artifacts of `stages` (all of its own without any).

    `tell` gets lines: what goes where, and what of it was there already.

    Raises:
        ConfigError: It is unknown, it has no such stage, or another of its name is there.
        InputError: DVC has no remote, or an artifact is not in the cache here.
    """
    one = known_experiment(root, name)
    chosen = list(stages) or [stage for stage in one.lock if one.has(stage)]
    _require_stages(one, chosen)
    theirs = remote_experiments(root, git_remote).get(name, one.revision)
    if theirs != one.revision:
        raise ConfigError(
            f"{git_remote} has another experiment {name!r} ({theirs[:10]}); rename this one: "
            f"dvc exp rename {name} NEW-NAME"
        )
    away = [stage for stage in chosen if not is_cached(root, one.lock[stage].out_hash)]
    if away:
        raise InputError(
            f"{name}: the artifacts of {', '.join(away[:6])} are not in the cache here; name the "
            f"stages that are: hornbook experiment push {name} --stage {TABLES}"
        )
    _transfer(root, one, chosen, is_push=True, tell=tell)
    git(root, "push", "--quiet", git_remote, _reference(root, name))
    tell(f"{name} is at {without_secrets(git_remote)}: {one.revision[:10]}")


def pull(
    root: Path,
    name: str,
    stages: Sequence[str],
    *,
    has_inputs: bool,
    git_remote: str,
    tell: Tell,
) -> None:
    """Take an experiment of others: its commit and the artifacts of `stages`, nothing else.

    `has_inputs` adds what these stages read directly, to make them again. Nothing is checked out.

    Raises:
        ConfigError: The remote has no such experiment, another of its name is here, or it has no
            such stage.
        InputError: DVC's remote lacks an artifact, or there is none.
    """
    theirs = remote_experiments(root, git_remote)
    if name not in theirs:
        told = ", ".join(sorted(theirs)) or "none"
        raise ConfigError(f"{git_remote} has no experiment {name!r}; there are: {told}")
    ours = experiments(root).get(name, theirs[name])
    if ours != theirs[name]:
        raise ConfigError(
            f"another experiment {name!r} is here ({ours[:10]}, at {git_remote} "
            f"{theirs[name][:10]}); rename yours first: dvc exp rename {name} NEW-NAME"
        )
    refs = _listed(root, git_remote)
    for ref in (ref for ref in refs if ref.endswith(f"/{name}")):
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        git(root, *fetch, git_remote, f"{ref}:{ref}")
    one = known_experiment(root, name)
    tell(f"{name} is {one.revision[:10]}")
    chosen = list(stages) or ([TABLES] if one.has(TABLES) else [])
    if not chosen:
        tell("it has no tables of its own; --stage STAGE brings other artifacts")
        return
    _require_stages(one, chosen)
    if has_inputs:
        chosen = list(dict.fromkeys([*chosen, *_producers(one, chosen)]))
    _transfer(root, one, chosen, is_push=False, tell=tell)


def remote_experiments(root: Path, git_remote: str) -> dict[str, str]:
    """The revision of each experiment that a git remote has, by its name.

    Raises:
        ConfigError: There is no such git remote here.
        StageError: It does not answer.
    """
    return {ref.rpartition("/")[2]: revision for ref, revision in _listed(root, git_remote).items()}


def _listed(root: Path, git_remote: str) -> dict[str, str]:
    known = git(root, "remote").split()
    is_place = "/" in git_remote or ":" in git_remote  # git takes an address as well
    if git_remote not in known and not is_place:
        raise ConfigError(
            f"git has no remote {git_remote!r} here; it has {', '.join(known) or 'none'}: "
            f"git remote add {git_remote} URL, or another with --remote NAME"
        )
    told = git(root, "ls-remote", "--quiet", git_remote, "refs/exps/*")
    pairs = (line.split("\t", 1) for line in told.splitlines())
    return {ref: revision for revision, ref in pairs if ref.count("/") == 4}


def _reference(root: Path, name: str) -> str:
    refs = git(root, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return next(ref for ref in refs if ref.count("/") == 4 and ref.endswith(f"/{name}"))


def _require_stages(one: Record, stages: Sequence[str]) -> None:
    unknown = [stage for stage in stages if stage not in one.lock]
    if unknown:
        raise ConfigError(
            f"{one.name} has no stage {unknown[0]!r}; it recorded {', '.join(one.lock)}"
        )


def _producers(one: Record, stages: Sequence[str]) -> list[str]:
    makers = {out: name for name, entry in one.lock.items() for out in entry.outs}
    read = (path for stage in stages for path in one.lock[stage].deps)
    found = (next((n for o, n in makers.items() if f"{p}/".startswith(f"{o}/")), "") for p in read)
    return [name for name in dict.fromkeys(found) if name]


def _transfer(root: Path, one: Record, stages: Sequence[str], *, is_push: bool, tell: Tell) -> None:
    """Send or fetch artifacts by their hashes; what is there already stays.

    Not by name: `dvc push` and `dvc fetch` are about the stages of the work tree, and take a
    second for each that is named.
    """
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    what = "sent" if is_push else "fetched"
    try:
        with Repo(str(root)) as repo:
            store = _store(repo)
            hashes = set[HashInfo]()
            for stage in stages:
                hashes |= _files(repo, store, one, stage)
            for stage in stages:
                entry = one.lock[stage]
                tell(f"  {stage:<34} {size(sum(entry.sizes.values())):>8}  {entry.out_hash[:10]}")
            where = f"{'to' if is_push else 'from'} {_shown(store)}"
            tell(f"{len(hashes)} files of {_told(one, stages)}, {where}")
            result = (repo.cloud.push if is_push else repo.cloud.pull)(hashes)
    except InputError:
        raise
    except Exception as error:
        raise InputError(_broken(one.name, what, error)) from error
    away = [stage for stage in stages if not is_cached(root, one.lock[stage].out_hash)]
    if result.failed or away:
        raise InputError(
            f"of {', '.join(away) or one.name} not everything was {what}: files are missing there, "
            f"or the connection broke; once more, it goes on where it is: hornbook experiment "
            f"{'push' if is_push else 'pull'} {one.name}"
        )
    num_files = len(result.transferred)
    tell(f"{num_files} files {what}, {len(hashes) - num_files} were there already")


def _store(repo: "Repo") -> "HashFileDB":
    """Where DVC's default remote keeps artifacts."""
    if not repo.config["core"].get("remote"):
        known = ", ".join(repo.config["remote"]) or "none"
        raise InputError(
            f"DVC has no default remote, where artifacts would go (it knows {known}): "
            f"dvc remote add --default NAME URL, or dvc remote default NAME (docs/team.md)"
        )
    return repo.cloud.get_remote_odb()


def _files(repo: "Repo", store: "HashFileDB", one: Record, stage: str) -> set["HashInfo"]:
    """An artifact and, of a folder, each file of it; the listing may be at the remote alone."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import find_tree_by_obj_id

    artifact = HashInfo("md5", one.lock[stage].out_hash)
    if not artifact.isdir:
        return {artifact}
    tree = find_tree_by_obj_id([repo.cache.local, store], artifact)
    if tree is None:
        raise InputError(
            f"{_shown(store)} does not have {stage} of {one.name}; who has it sends it: "
            f"hornbook experiment push {one.name} --stage {stage}"
        )
    return {artifact, *(file for _, _, file in tree if file is not None)}


def _shown(store: "HashFileDB") -> str:
    return without_secrets(store.fs.unstrip_protocol(store.path))


def _broken(name: str, what: str, error: Exception) -> str:
    """What DVC or the library of the remote says, and what is to be done about it."""
    told = without_secrets(" ".join(str(error).split())) or type(error).__name__
    keys = ""
    if "credentials" in told.lower() or isinstance(error, PermissionError):
        keys = (
            "; keys come from the environment (of S3: AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
        )
    return (
        f"the artifacts of {name} were not {what}: {told}{keys}; `dvc remote list` names the "
        f"remotes, docs/team.md sets one up"
    )


def _told(one: Record, stages: Sequence[str]) -> str:
    num_bytes = sum(sum(one.lock[stage].sizes.values()) for stage in stages)
    return f"{len(stages)} of {len(one.lock)} stages, {size(num_bytes)}"
