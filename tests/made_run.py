"""A real `Run` for a stage under test: the conf of a scale as parameters, no DVC around it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from hornbook.lineage.manifest import Graph, Stage
from hornbook.progress import Reporter
from hornbook.runtime import Runtime, load_runtime
from hornbook.stage import Run

CONF = Path(__file__).resolve().parents[1] / "conf"


def conf(noun: str, scale: str = "smoke") -> dict[str, Any]:
    """The values of one conf file on top of those that its `defaults` name."""
    with initialize_config_dir(str(CONF), version_base=None):
        values = OmegaConf.to_container(compose(f"{noun}/{scale}"), resolve=False)
    assert isinstance(values, dict)
    return values[noun]


def one_by_one(*, workers: int = 1) -> Runtime:
    """The runtime that every clone has, without anything side by side."""
    shipped = load_runtime(CONF.parent)
    return replace(shipped, workers=workers, jobs=1, concurrency=1, log_seconds=60.0,
                   poll_seconds=0.05)  # fmt: skip


def made_run(
    root: Path, name: str, *, reads: list[str], params: dict[str, Any], workers: int = 1
) -> Run:
    """A run of stage `name` in `root` that may read the paths `reads` and all of `params`."""
    family, _, instance = name.partition("@")
    pending = root / ".pending" / name
    (pending / "out").mkdir(parents=True)
    stage = Stage(
        name=name,
        family=family,
        instance=instance or None,
        cmd="",
        desc="",
        meta={},
        code=(),
        sources=tuple(reads),
        inputs={},
        params=tuple(params),
        out=f"artifacts/{name}",
    )
    runtime = one_by_one(workers=workers)
    graph = Graph(root=root, stages={name: stage}, params=params)
    return Run(graph, stage, pending=pending, runtime=runtime, reporter=Reporter(name))


def file_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
