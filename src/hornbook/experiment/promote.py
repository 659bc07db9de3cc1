"""An experiment becomes the new state: its overrides go into `conf/`, its record into a commit.

`params.yaml` is composed from `conf/`, so values alone would be undone by the next
`hornbook compose`. The overrides become `conf/experiment/NAME.yaml`, which `conf/config.yaml` then
chooses, as Hydra has it. The commit is made and checked in a clone; until it is right nothing here
is touched.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hornbook.artifacts import write_text
from hornbook.compose import compose, render, write_params
from hornbook.errors import ArtifactError, ConfigError, HornbookError, StageError
from hornbook.experiment.git import clone_at, git, head, identity
from hornbook.experiment.points import parse
from hornbook.experiment.records import Record, changed, known_experiment, shown
from hornbook.lineage.holding import require_room, tree_alone
from hornbook.lineage.leftovers import stages_running
from hornbook.lineage.manifest import load_lock
from hornbook.lineage.processes import dvc_environment, git_says
from hornbook.lineage.workspace import Hasher

GROUP = "experiment"
CHOSEN = re.compile(rf"^(\s*-\s*{GROUP}:\s*)([^\s#]+)", re.MULTILINE)


def promote(root: Path, name: str, branch: str | None = None) -> list[str]:
    """Make an experiment the next commit of the current branch, or of a new one; what was done.

    On the current branch its artifacts are checked out; with `branch` the work tree stays.

    Raises:
        ConfigError: The experiment is unknown, began at another commit, or its overrides cannot
            stand in a file; the work tree has changes; or the branch exists.
        ArtifactError: An artifact of the work tree is not what `dvc.lock` records.
        StageError: A run works on this checkout.
    """
    one = known_experiment(root, name)
    require_room(root)
    if branch is not None:
        return _promote(root, one, branch)
    with tree_alone(root, f"promote to a branch: --branch {name}"):
        if running := stages_running(root):
            raise StageError(
                f"{', '.join(running)} works on this checkout, and would find other code and "
                f"values at its end; wait until it ends, or promote to a branch: --branch {name}"
            )
        if _is_promoted(root, one):
            return _arrive(root, f"HEAD is {name} already")
        return _promote(root, one, None)


def _promote(root: Path, one: Record, branch: str | None) -> list[str]:
    overrides, name = _require_promotable(root, one, branch), one.name
    with clone_at(root, one.baseline) as clone:
        git(clone, "checkout", "--quiet", one.revision, "--", ".")
        _write_conf(clone, name, overrides)
        _require_values(clone, one)
        git(clone, "add", "--all", "conf", "params.yaml", "dvc.lock")
        message = f"experiment {name}: {' '.join(overrides)}\n"
        git(clone, *identity(root), "commit", "--quiet", "--no-verify", "-F", "-", text=message)
        revision = git(clone, "rev-parse", "HEAD").strip()
        # under no reference, which would be left where this is killed
        git(root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(clone), "HEAD")
    if branch is not None:
        git(root, "branch", "--no-track", branch, revision)
        return [f"branch {branch} is {revision[:10]}: {_files(name)}"]
    git(root, "merge", "--quiet", "--ff-only", revision)
    return _arrive(root, f"HEAD is {revision[:10]}: {_files(name)}")


def _is_promoted(root: Path, one: Record) -> bool:
    """Whether HEAD is the experiment's promotion, of which the end may have been cut off."""
    subject = git_says(root, "log", "-1", "--format=%P %s")
    overrides = " ".join(one.overrides or ())
    return subject == f"{one.baseline} experiment {one.name}: {overrides}".rstrip()


def _arrive(root: Path, told: str) -> list[str]:
    """Bring the work tree to the promotion that HEAD is."""
    write_params(root)
    name_models(root)
    return [
        told,
        *_check_out(root),
        "take it back: git revert HEAD && dvc checkout",
    ]


def name_models(root: Path) -> None:
    """Move MLflow's alias `promoted`; a store that is away does not undo a promotion."""
    from hornbook.track.runs import promote as promote_models

    try:
        promote_models(root)
    except HornbookError as error:
        sys.stderr.write(f"MLflow has the alias `promoted` where it was: {error}\n")


def _files(name: str) -> str:
    return f"params.yaml and dvc.lock of {name}, whose overrides are conf/{GROUP}/{name}.yaml"


def _require_promotable(root: Path, one: Record, branch: str | None) -> list[str]:
    """The overrides of an experiment that can become the commit after HEAD."""
    again = f"hornbook experiment run {one.name} OVERRIDES"
    if one.overrides is None:
        raise ConfigError(
            f"experiment {one.name} was made by dvc itself and does not say by which overrides, "
            f"which conf/ would need; make it again (its stages are cached): {again}"
        )
    here = head(root)
    if one.baseline != here:
        given = " ".join(one.overrides)
        raise ConfigError(
            f"experiment {one.name} began at {one.baseline[:10]}, and HEAD is {here[:10]}; run it "
            f"at HEAD, where unchanged stages cost nothing: hornbook experiment run {one.name} "
            f"{given}"
        )
    taken = f"conf/{GROUP}/{one.name}.yaml"
    if (root / taken).exists():
        raise ConfigError(
            f"{taken} is there from before; rename the experiment (dvc exp rename {one.name} "
            f"NEW-NAME) and promote that"
        )
    if branch is None:
        _require_clean(root)
    elif not git_says(root, "check-ref-format", "--branch", branch):
        raise ConfigError(f"--branch {branch!r} is no name that a branch can have")
    elif git(root, "branch", "--list", branch).strip():
        raise ConfigError(f"branch {branch!r} is there already; choose another name")
    return one.overrides


def _require_clean(root: Path) -> None:
    changes = git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
    if changes:
        raise ConfigError(
            f"the work tree has changes ({', '.join(line[3:] for line in changes[:6])}); commit "
            f"them or put them aside (git stash), or promote to a branch: --branch NAME"
        )
    hasher, edited = Hasher(root), list[str]()
    for entry in load_lock(root).values():
        for out, digest in entry.outs.items():
            if (root / out).exists() and hasher.hash(out) != digest:
                edited.append(out)
    hasher.save()
    if edited:
        raise ArtifactError(
            f"{', '.join(edited[:6])}: not what dvc.lock records, and a checkout would replace it; "
            f"record it (hornbook run) or put the record back (dvc checkout {edited[0]})"
        )


def _write_conf(root: Path, name: str, overrides: Sequence[str]) -> None:
    file = root / "conf" / "config.yaml"
    text = file.read_text("utf-8")
    found = CHOSEN.search(text)
    if found is None:
        raise ConfigError(
            f"conf/config.yaml chooses no {GROUP}: its defaults need a last line "
            f"`- {GROUP}: null`, behind _self_"
        )
    before = None if found[2] in {"null", "~"} else found[2]
    write_text(root / "conf" / GROUP / f"{name}.yaml", conf_file(root, overrides, before))
    write_text(file, CHOSEN.sub(lambda match: f"{match[1]}{name}", text, count=1))


def conf_file(root: Path, overrides: Sequence[str], before: str | None) -> str:
    """The overrides as a file of conf/experiment, on top of the one that was chosen before.

    Raises:
        ConfigError: One of them cannot stand in a file.
    """
    defaults: list[Any] = []
    values: dict[str, Any] = {}
    for one, text in zip(parse(overrides), overrides, strict=True):
        key, is_group = one.key_or_group, (root / "conf" / one.key_or_group).is_dir()
        if one.is_delete() or one.package is not None or (is_group and one.is_add()):
            raise ConfigError(
                f"{text} cannot stand in a file of conf/; write it into conf/ by hand, run "
                f"`hornbook compose` and `hornbook run`, and commit"
            )
        if key == GROUP:
            before = str(one.value())
        elif is_group:
            defaults.append({f"override /{key}": one.value()})
        else:
            _set(values, key.split("."), one.value())
    defaults = [*([before] if before else []), *defaults]
    body = {**({"defaults": [*defaults, "_self_"]} if defaults else {}), **values}
    shown_body = yaml.safe_dump(body, sort_keys=False, allow_unicode=True) if body else "{}\n"
    return f"# @package _global_\n{shown_body}"


def _set(values: dict[str, Any], path: Sequence[str], value: Any) -> None:  # noqa: ANN401
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _require_values(clone: Path, one: Record) -> None:
    """Refuse unless conf/ alone now composes to what the experiment ran with."""
    composed = compose(clone)
    different = changed(one.values, composed)
    if different:
        raise ConfigError(
            f"conf/{GROUP}/{one.name}.yaml would not compose to the values of the experiment: "
            f"{shown(different)}; write its overrides into conf/ by hand "
            f"({' '.join(one.overrides or ())}), run `hornbook compose` and `hornbook run`"
        )
    write_text(clone / "params.yaml", render(composed))


def _check_out(root: Path) -> list[str]:
    """Bring the artifacts to what the new commit records; what is not in the cache is said."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "checkout", "--quiet", "--allow-missing"],
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = done.stderr.strip()[-300:]
        return [f"its artifacts are not all checked out ({told}): dvc checkout, or dvc pull"]
    return ["its artifacts are checked out; hornbook status says what it had left out"]
