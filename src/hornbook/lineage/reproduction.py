"""One recorded artifact, made again in a clean copy and compared with what was recorded."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.clean_copy import CleanCopy, clean_copy, is_damaged, recorded_files
from hornbook.lineage.differences import Compared, compare_files
from hornbook.lineage.manifest import Graph, LockEntry, Stage
from hornbook.lineage.receipts import (
    Receipt,
    Result,
    environment,
    receipt_file,
    revision,
    subject,
)
from hornbook.lineage.replay import replay
from hornbook.lineage.sampling import Sampled, sample_answers, sample_items, sample_training
from hornbook.lineage.shard_sampling import STEPS, sample_shards
from hornbook.lineage.workspace import CODE, Hasher, parameter_reasons
from hornbook.report.statistics import size

SAMPLED = {
    "book_answers": sample_answers,
    "train": sample_training,
    "train_seed": sample_training,
    "evaluate": sample_items,
    "evaluate_seed": sample_items,
    "evaluate_compared": sample_items,
    **dict.fromkeys(STEPS, sample_shards),
}
UNITS = ("steps", "items", "answers", "shards")  # of a sample
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """How to verify: with `sample`, so many steps, items, answers or shards of what has them."""

    sample: int | None
    tolerance: float
    again: bool = False


def reproduce(
    root: Path, graph: Graph, entry: LockEntry | None, stage: Stage, asked: Asked, say: Say
) -> Receipt | dict[str, Any]:
    """A receipt, or the one of earlier, as JSON, that still counts.

    Raises:
        HornbookError: The stage cannot be made again as it was recorded, or it failed.
    """
    entry = _as_recorded(graph, entry, stage)
    hasher = Hasher(root)
    code = {path: hasher.hash(path) for path in stage.code}
    own, tolerance = environment(root), _tolerance(stage, asked)
    about = subject(
        {
            "recorded": entry.out_hash,
            "inputs": _data(entry, stage),
            "code": code,
            "command": entry.cmd,
            "values": entry.params,
            "environment": own,
            "tolerance": tolerance,
        }
    )
    before = None if asked.again else _before(root, stage, about, asked)
    if before is not None:
        return before
    recorded = _recorded(root, stage, entry)
    with clean_copy(root, stage, entry) as copy:
        teacher = replay(copy)
        made = _made(root, copy, recorded, asked, say)
        return Receipt(
            stage=stage.name,
            result=_result(made.compared),
            subject=about,
            artifact=stage.out,
            recorded=entry.out_hash,
            remade=made.digest,
            sample=made.sample,
            compared=made.told,
            files=hashes(copy.out) if made.digest else {},
            differing=made.compared.differing,
            first=made.compared.first,
            largest=made.compared.largest,
            tolerance=tolerance,
            teacher=teacher,
            inputs=_data(entry, stage),
            code=code,
            code_changed=_code_changed(entry, code),
            revision=revision(root),
            environment=own,
        )


def _as_recorded(graph: Graph, entry: LockEntry | None, stage: Stage) -> LockEntry:
    """The record of a stage that would be made again in the same way now.

    Raises:
        ConfigError: It was never made, or command, values or the list of inputs are others now.
    """
    if entry is None:
        raise ConfigError(f"{stage.name} was never run: hornbook run {stage.name}")
    reasons = [str(one) for one in parameter_reasons(entry.params, graph.param_values(stage))]
    if entry.cmd != stage.cmd:
        reasons.insert(0, f"command: {entry.cmd} -> {stage.cmd}")
    was = {path for path in entry.deps if not _is_code(path, stage)}
    reasons += [f"input {path} was not read" for path in (*stage.sources, *stage.inputs)
                if path not in was]  # fmt: skip
    reasons += [
        f"input {path} is not read any more"
        for path in sorted(was - {*stage.sources, *stage.inputs})
    ]
    if reasons:
        more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        raise ConfigError(
            f"{stage.name} was recorded with other values than those of now, so making it again "
            f"says nothing of the record ({'; '.join(reasons[:3])}{more}); hornbook run "
            f"{stage.name} makes it with these, git checkout of the commit has the recorded ones"
        )
    return entry


def _is_code(path: str, stage: Stage) -> bool:
    return path.startswith(CODE) or path in stage.code


def _data(entry: LockEntry, stage: Stage) -> dict[str, str]:
    """The hashes of the inputs that are no code."""
    return {path: entry.deps[path] for path in (*stage.sources, *stage.inputs)}


def _code_changed(entry: LockEntry, code: dict[str, str]) -> tuple[str, ...]:
    was = {path: digest for path, digest in entry.deps.items() if path.startswith(CODE)}
    paths = sorted({*was, *code})
    return tuple(path for path in paths if entry.deps.get(path) != code.get(path))


def _before(root: Path, stage: Stage, about: str, asked: Asked) -> dict[str, Any] | None:
    """A receipt of the same reproduction that says the same as another would: not of a failure."""
    wanted = asked.sample if stage.family in SAMPLED else None
    for is_sample in (False, True) if wanted is not None else (False,):
        file = receipt_file(root, stage.name, is_sample=is_sample)
        try:
            found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        part = found.get("sample") or {}
        counts = [part[unit] for unit in UNITS if unit in part]
        is_enough = not part or (wanted or 0) <= max(counts, default=0)
        if found.get("subject") == about and found.get("result") != "differs" and is_enough:
            return found
    return None


def _recorded(root: Path, stage: Stage, entry: LockEntry) -> dict[str, Path]:
    """The files of the recorded artifact.

    Raises:
        ArtifactError: They are not here.
    """
    files = recorded_files(root, stage.out, entry.out_hash)
    if files is None:
        raise ArtifactError(
            f"{stage.out} with hash {entry.out_hash}, as dvc.lock records it, is neither in DVC's "
            f"cache nor in the work tree, so there is nothing to compare with; dvc pull {stage.out}"
            f" gets it from a remote"
        )
    return files


@dataclass(frozen=True)
class _Made:
    compared: Compared
    told: str
    digest: str | None
    sample: dict[str, Any] | None


def _made(root: Path, copy: CleanCopy, recorded: dict[str, Path], asked: Asked, say: Say) -> _Made:
    """The sample, where one is asked for and takes less, else the whole artifact."""
    sampler, part = SAMPLED.get(copy.stage.family), None
    tolerance = _tolerance(copy.stage, asked)
    if asked.sample is not None and sampler is not None:
        part: Sampled | None = sampler(copy, recorded, asked.sample, tolerance, say)
    if part is not None:
        return _Made(part.compared, part.told, None, dict(part.sample))
    if not copy.out.exists():
        copy.run(say)
    made = _whole(root, copy, recorded, tolerance)
    is_part_asked = asked.sample is not None and sampler is not None
    return replace(made, told=f"whole, as it has no more: {made.told}") if is_part_asked else made


def _tolerance(stage: Stage, asked: Asked) -> float:
    """What may differ: only the numbers of stages whose bytes depend on the processor (D-002)."""
    return asked.tolerance if stage.meta.get("processor") else 0.0


def _whole(root: Path, copy: CleanCopy, recorded: dict[str, Path], tolerance: float) -> _Made:
    """The whole artifact beside the recorded one."""
    remade = {
        str(file.relative_to(copy.out)): file
        for file in sorted(copy.out.rglob("*"))
        if file.is_file()
    }
    compared = compare_files(recorded, remade, tolerance)
    digest = Hasher(copy.root).hash(copy.stage.out)
    told = f"{len(remade)} files, {size(sum(file.stat().st_size for file in remade.values()))}"
    bad = [name for name in compared.differing if name in recorded and name in remade
           and is_damaged(root, recorded[name])]  # fmt: skip
    if bad:
        told += f"; the cache's copy of {', '.join(bad)} is not what dvc.lock records"
    return _Made(compared, told, digest, None)


def _result(compared: Compared) -> Result:
    if not compared.differing:
        return "bit-equal"
    return "within tolerance" if compared.is_within else "differs"


def hashes(folder: Path) -> dict[str, str]:
    """The MD5 of each file of a folder, by its name in it."""
    hasher = Hasher(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hasher.hash(str(file)) for file in files}
