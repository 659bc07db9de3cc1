"""A stage as a process: declared inputs in, one folder out, progress all the way.

The function of a stage sees only what `dvc.yaml` declares for it, so the record of a run is
complete by construction. It writes to a folder outside the output and the folder moves into place
when the function returns: a killed stage leaves no half artifact and finds its journals again.
"""

import fcntl
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import write_json
from hornbook.config import Expectation
from hornbook.errors import ArtifactError, ConfigError
from hornbook.gate import Gate, is_loaded
from hornbook.lineage.manifest import Graph, Stage, load_graph, load_lock, lookup
from hornbook.lineage.unchanged import Begun
from hornbook.lineage.volume import place, work
from hornbook.lineage.workspace import Hasher, identity, require_fresh
from hornbook.measure.usage import Usage
from hornbook.progress import Progress, Reporter
from hornbook.runtime import Runtime, load_runtime

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
# in a clean copy of a checkout: its inputs are those of a record, whatever their producers are now
CLEAN_COPY = Path(".hornbook", "clean-copy")
SAMPLE = Path(".hornbook", "sample.json")  # in a clean copy of which only some shards are wanted
HELD = "held"  # locked in a pending folder while a stage works there


class Run:
    """What a stage function gets."""

    def __init__(
        self, graph: Graph, stage: Stage, *, pending: Path, runtime: Runtime, reporter: Reporter
    ) -> None:
        self.name = stage.name
        self.family = stage.family
        self.instance = stage.instance
        self.runtime = runtime
        self.pending = pending
        self.out = pending / "out"
        self._graph = graph
        self._stage = stage
        self._reporter = reporter
        self._summary: dict[str, Any] = {}
        self._measures: dict[str, Any] = {}
        self.workers_cpu_seconds = 0.0
        self.workers_peak_rss_mib = 0
        self._expected: dict[str, Any] = {}
        self._gate: Gate | None = None
        self.gate_seconds = 0.0  # of the clock, that expectations took
        self.has_own_process = False

    def section(self, key: str, kind: type[T]) -> T:
        """The validated section of `params.yaml` at a dotted key.

        Raises:
            ConfigError: The stage does not declare the key, or the section does not validate.
        """
        declared = self._stage.params
        if not any(key == known or key.startswith(f"{known}.") for known in declared):
            raise ConfigError(
                f"{self.name} reads {key!r}, which dvc.yaml does not declare for it; "
                f"it declares {', '.join(declared) or 'no parameter'}"
            )
        value = lookup(self._graph.params, key)
        try:
            return TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join((key, *map(str, first["loc"])))
            # a rule over several settings finds fault with their section: its message names them
            shown = "" if isinstance(first["input"], Mapping) else f"={first['input']!r}"
            raise ConfigError(
                f"params.yaml: {where}{shown}: {first['msg']}; run: hornbook compose"
            ) from error

    def input(self, path: str) -> Path:
        """A declared input below the working directory.

        Raises:
            ConfigError: `dvc.yaml` does not declare it for this stage.
            ArtifactError: It is not there.
        """
        declared = self._stage.deps
        if not any(path == known or path.startswith(f"{known}/") for known in declared):
            raise ConfigError(
                f"{self.name} reads {path}, which dvc.yaml does not list among its deps: "
                f"{', '.join(declared)}"
            )
        full = self._graph.root / path
        if not full.exists():
            raise ArtifactError(f"{self.name} needs {path}, which is not there; {self._way(path)}")
        return full

    def _way(self, path: str) -> str:
        """How an input that is not there comes back."""
        if producer := self._stage.inputs.get(path):
            return f"run: dvc repro {producer}"
        if Path(path).is_absolute():
            return "put it back, or compose without it"
        return "run: dvc pull data.dvc"

    def hash_of(self, path: str) -> str:
        """The DVC hash of a declared input, by which a result names what it came from.

        Raises:
            ConfigError, ArtifactError: As of `input`.
        """
        self.input(path)
        return Hasher(self._graph.root).hash(path)

    @contextmanager
    def progress(self, total: int | None, unit: str, what: str = "") -> Generator[Progress]:
        """A progress line that shows itself at most every `runtime.log_seconds`."""
        bar = Progress(
            self._reporter, total=total, unit=unit, what=what, seconds=self.runtime.log_seconds
        )
        yield bar
        bar.finish()

    def log(self, text: str) -> None:
        """One line for the person who watches."""
        self._reporter.say(text)

    def summary(self, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Facts of the artifact (rows, tokens, drops by reason) for `summary.json`."""
        self._summary |= values
        write_json(self.out / "summary.json", self._summary)

    def measure(self, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Time, throughput, memory: kept outside the artifact, joined again when shown."""
        self._measures |= values

    def machine(self) -> Path:
        """A JSON file for what was measured of this machine itself, shared by all stages."""
        return shared_folder(self._graph.root) / "measurements" / "machine.json"

    def volume(self) -> dict[str, Any]:
        """How much the stage does and where, by which its time tells of another amount."""
        paths = [self._graph.root / path for path in (*self._stage.sources, *self._stage.inputs)]
        files = [one for path in paths for one in ([path] if path.is_file() else path.rglob("*"))]
        read = sum(file.stat().st_size for file in files if file.is_file())
        return {
            "work": work(self._stage, self._graph.params, read),
            "place": place(self._stage, self._graph.params),
            "fixed_seconds": round(self.gate_seconds, 3),
        }

    def sample(self) -> Mapping[str, Any] | None:
        """What a clean copy wants of the stage, where that is not its artifact: `map_shards`."""
        file = self._graph.root / SAMPLE
        return json.loads(file.read_text("utf-8")) if file.exists() else None

    def account(self, cpu_seconds: float, peak_rss_mib: int) -> None:
        """What a worker used that is no child of this process."""
        self.workers_cpu_seconds += cpu_seconds
        self.workers_peak_rss_mib = max(self.workers_peak_rss_mib, peak_rss_mib)

    @property
    def measures(self) -> Mapping[str, Any]:
        """What was measured so far."""
        return self._measures

    def open_gate(self) -> None:
        """Load what `expect` needs from now on, its gate in another process; once."""
        if self._gate is None and not is_loaded():
            self._gate = Gate()
            import_module("pandas")

    def close(self) -> None:
        """End what was started for the run."""
        if self._gate is not None:
            self._gate.close()
            self._gate = None

    def expect(
        self,
        dataset: str,
        frame: "pd.DataFrame",
        expectations: Sequence[Expectation],
        key: str,
    ) -> None:
        """Gate a dataset; results go to `expectations.json` of the output.

        Raises:
            ExpectationError: An expectation failed; rows are named by column `key`.
        """
        started = time.monotonic()
        from hornbook.expectations import judge, refuse

        if self.has_own_process and "torch" in sys.modules:
            self.open_gate()  # what a training holds in memory is what its plan says
        here_or_there = self._gate.judge if self._gate else judge
        self._expected[dataset] = here_or_there(dataset, frame, expectations, key)
        self.gate_seconds += time.monotonic() - started
        write_json(self.out / "expectations.json", self._expected)
        write_json(failed_checks(self._graph.root, self.name), self._expected)
        refuse(self.name, dataset, self._expected[dataset], self._stage.out)

    def store(self, name: str) -> Path:
        """A content-keyed store that outlives identities and is shared by all workspaces."""
        folder = shared_folder(self._graph.root) / "store" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def shared_folder(root: Path) -> Path:
    """`.hornbook` of the main checkout, also from a temporary workspace of an experiment."""
    # DVC tells the processes of a temporary workspace where the main checkout is
    return Path(os.environ.get("DVC_ROOT", root)) / ".hornbook"


def failed_checks(root: Path, name: str) -> Path:
    """Where the newest check results of a stage are, also when it failed."""
    return root / ".hornbook" / "checks" / f"{name}.json"


def measurements_file(root: Path, name: str) -> Path:
    """Where the measurements of a stage's newest run are."""
    return shared_folder(root) / "measurements" / f"{name}.json"


def run_stage(root: Path, name: str) -> None:
    """Run one stage of the graph in this process.

    Raises:
        ConfigError: There is no such stage.
        ArtifactError: An input is stale, dirty or absent.
        HornbookError: The stage's own error.
    """
    from hornbook.stages import SEVERAL

    os.environ["TQDM_DISABLE"] = "1"  # a stage has a progress line of its own
    graph = load_graph(root)
    stage = graph.stages.get(name)
    if stage is None:
        family = name.partition("@")[0]
        own = [one.name for one in graph.stages.values() if one.family == family]
        raise ConfigError(
            f"no stage {name!r}; the stages are {', '.join(own or graph.stages)}"
            + (f"; by hand: hornbook {own[0].replace('@', ' ')}" if own else "")
        )
    runtime = load_runtime(root)
    several = import_module(SEVERAL[stage.family]) if stage.family in SEVERAL else None
    if several and several.start(stage, graph.params, runtime):
        return  # it has run, as processes of its own
    if several and several.rank():
        _assist(graph, stage, pending=root / several.ask("pending"), runtime=runtime)
        return
    hasher = Hasher(root)
    if not (root / CLEAN_COPY).exists():
        require_fresh(graph, load_lock(root), hasher, stage)
    pending = root / ".hornbook" / "pending" / f"{name}-{identity(stage, graph, hasher)}"
    begun = Begun.now(graph, stage, hasher)
    hasher.save()
    reporter = Reporter(name)
    run = Run(graph, stage, pending=pending, runtime=runtime, reporter=reporter)
    run.has_own_process = True
    with _held(pending):
        _make(root, run, stage, begun, several)
    reporter.say(f"done -> {stage.out}")


@contextmanager
def _held(pending: Path) -> Generator[None]:
    """Say of a pending folder that a stage works there, until this process ends."""
    pending.mkdir(parents=True, exist_ok=True)
    with (pending / HELD).open("a") as held:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_SH)
        yield


def _make(root: Path, run: Run, stage: Stage, begun: Begun, several: ModuleType | None) -> None:
    """Run the stage's function and put what it made in place."""
    shutil.rmtree(run.out, ignore_errors=True)
    run.out.mkdir(parents=True)
    if several:
        several.tell("pending", str(run.pending.relative_to(root)))
    started, cpu = time.monotonic(), _cpu_seconds()
    usage = Usage()
    try:
        _function(stage)(run)
        run.close()
    finally:
        run.measure(usage=usage.stop())
    begun.require_unchanged(run.pending)
    _record(root, run, seconds=time.monotonic() - started, cpu_seconds=_cpu_seconds() - cpu)
    _move(run.out, root / stage.out)
    shutil.rmtree(run.pending, ignore_errors=True)


def _function(stage: Stage) -> Callable[[Run], None]:
    from hornbook.stages import STAGES

    module, function = STAGES[stage.family].split(":")
    return getattr(import_module(module), function)


def _assist(graph: Graph, stage: Stage, *, pending: Path, runtime: Runtime) -> None:
    """Compute for rank 0, which is the stage: checks the inputs, reports, moves the artifact."""
    reporter = Reporter(stage.name, is_silent=True)
    _function(stage)(Run(graph, stage, pending=pending, runtime=runtime, reporter=reporter))


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _record(root: Path, run: Run, *, seconds: float, cpu_seconds: float) -> None:
    """Keep what was measured under the identity of the bytes it was measured on."""
    measured = {
        **run.measures,
        "stage": run.name,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds + run.workers_cpu_seconds, 3),
        "peak_rss_mib": max(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, run.workers_peak_rss_mib
        ),
        "out_hash": Hasher(root).hash(str(run.out.relative_to(root))),
        **run.volume(),
    }
    write_json(measurements_file(root, run.name), measured)


def _move(made: Path, target: Path) -> None:
    """Put a finished folder in place; what stood there goes only when the new one stands."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    made.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def parse_summary(folder: Path) -> dict[str, Any]:
    """The summary of an artifact; empty where it has none."""
    file = folder / "summary.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else {}


def main(arguments: Sequence[str]) -> None:
    """`hornbook STAGE [INSTANCE]` from the root of a workspace."""
    run_stage(Path.cwd(), "@".join(arguments))
    sys.stdout.flush()
