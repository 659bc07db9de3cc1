"""Starting the ranks of a training, and what happens when one of them ends.

Rank 0 is the stage: it checks the inputs, shows progress and writes the artifact. The others
compute for it. A stage process with `train.ranks` above 1 that has no rank of its own starts them,
as `runtime.launcher` says, and watches; a process that torchrun or another launcher gave a rank
joins the others. Nothing here changes a byte of the result.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hornbook.errors import ConfigError, PeerError, StageError
from hornbook.lineage.manifest import Stage
from hornbook.runtime import Runtime
from hornbook.train.place import given_place

_PARENT = "HORNBOOK_RANKS_PARENT"
PORT = 29500  # of torchrun and DeepSpeed as well
# the others of a dead rank notice within milliseconds on a CPU; NCCL may wait for minutes
_GRACE_SECONDS = 10.0
_SHUTDOWN_SECONDS = 600
_PR_SET_PDEATHSIG = 1


def start(stage: Stage, params: Mapping[str, Any], runtime: Runtime) -> bool:
    """Run a stage as `train.ranks` processes, unless this is one of them.

    True when they have run; False where this process goes on, as the stage or as a rank of it.

    Raises:
        ConfigError: A launcher started another number of ranks, or the launcher's settings fit
            neither each other nor the number of ranks.
        StageError: A rank ended; its message was printed before.
    """
    train = params["train"]
    ranks, threads = int(train["ranks"]), int(train["threads"])
    place = given_place()
    if place is not None:
        _follow_parent()
        if place.size != ranks:
            raise ConfigError(
                f"train.ranks={ranks}, but the launcher started {place.size}; start {ranks}, or "
                f"compose train.ranks={place.size} (another number of ranks is another model)"
            )
        return False
    if ranks == 1:
        return False
    arguments = ["-m", "hornbook", *stage.name.split("@")]
    if runtime.launcher == "local":
        port = runtime.master_port or _free_port()
        command = [sys.executable, *arguments]
        Team(command, ranks=ranks, threads=threads, port=port).run()
    else:
        _run_launcher(remote_command(arguments, ranks=ranks, runtime=runtime), runtime)
    return True


def rank() -> int:
    """Which rank this process is; the stage itself is 0."""
    place = given_place()
    return place.rank if place else 0


def tell(what: str, value: str) -> None:
    """Leave a word for the other ranks, if there are any."""
    if given_place():
        from hornbook.train.ranks import meeting_point

        meeting_point().set(what, value)


def ask(what: str) -> str:
    """The word that rank 0 left; waits for it."""
    from hornbook.train.ranks import meeting_point

    return meeting_point().get(what).decode()


@dataclass
class _Rank:
    number: int
    process: subprocess.Popen[bytes]
    told: IO[bytes]  # what it wrote to standard error

    def message(self) -> str:
        """What it said, or what its exit status says."""
        self.told.seek(0)
        text = self.told.read().decode(errors="replace")
        status = self.process.returncode
        if status < 0:
            name = signal.Signals(-status).name
            hint = " (by the kernel, when memory ran out?)" if name == "SIGKILL" else ""
            return f"{text}rank {self.number} was killed by {name}{hint}\n"
        if status and not text:
            return f"rank {self.number} ended with status {status} and no message\n"
        return text


@dataclass
class Team:
    """Ranks on this machine, which live and end together."""

    command: Sequence[str]
    ranks: int
    threads: int
    port: int

    def run(self) -> None:
        """Start them and wait; SIGTERM and SIGINT ask all for a checkpoint, a second one kills.

        Raises:
            StageError: One ended with an error, and the others were ended.
        """
        with ExitStack() as files:
            team = [self._start(number, files) for number in range(self.ranks)]
            try:
                with _passed_on([rank.process for rank in team]):
                    guilty = _first_failed(team)
                    sys.stderr.write((guilty or team[0]).message())
                    sys.stderr.flush()
                    if guilty is not None:
                        _end(team)
                        raise StageError(
                            f"rank {guilty.number} of {self.ranks} ended, and with it the others; "
                            f"the same command goes on from the last checkpoint"
                        )
            finally:
                _kill(team)

    def _start(self, number: int, files: ExitStack) -> _Rank:
        told = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - entered here
        process = subprocess.Popen(
            self.command,
            env={
                # several machines need an interface that the others see, one does not
                "GLOO_SOCKET_IFNAME": "lo",
                **os.environ,
                "RANK": str(number),
                "LOCAL_RANK": str(number),
                "WORLD_SIZE": str(self.ranks),
                "LOCAL_WORLD_SIZE": str(self.ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(self.port),
                "OMP_NUM_THREADS": str(self.threads),
                _PARENT: str(os.getpid()),
            },
            stdout=None if number == 0 else told,
            stderr=told,
            start_new_session=True,  # a terminal's interrupt reaches them through us, once
        )
        return _Rank(number, process, told)


def _first_failed(team: Sequence[_Rank]) -> _Rank | None:
    """Wait until all have ended well (None), or for the one that ended the others."""
    while True:
        ended = [rank for rank in team if rank.process.poll() is not None]
        if any(rank.process.returncode for rank in ended):
            time.sleep(0.2)  # a rank that lost another may be seen to end before it
            failed = [rank for rank in team if rank.process.poll()]
            return min(failed, key=lambda one: (one.process.returncode == PeerError.status, 0))
        if len(ended) == len(team):
            return None
        time.sleep(0.05)


def _end(team: Sequence[_Rank]) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and any(one.process.poll() is None for one in team):
        time.sleep(0.05)


def _kill(team: Sequence[_Rank]) -> None:
    for one in team:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


@contextmanager
def _passed_on(processes: Sequence["subprocess.Popen[bytes]"]) -> Generator[None]:
    """SIGTERM and SIGINT become SIGTERM of the processes; from the second on, SIGKILL."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    times = 0

    def pass_on(_number: int, _frame: object) -> None:
        nonlocal times
        times += 1
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM if times == 1 else signal.SIGKILL)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow_parent() -> None:
    """Take SIGTERM, and so write a checkpoint and end, should the process that started us die."""
    parent = os.environ.get(_PARENT)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise PeerError("the process that started this rank is gone")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def remote_command(arguments: Sequence[str], *, ranks: int, runtime: Runtime) -> list[str]:
    """The command that runs `python ARGUMENTS` (`-m hornbook ...`) as ranks on many machines.

    Raises:
        ConfigError: The hostfile is not there or has another number of slots, or this is no Slurm
            allocation of a fitting size.
    """
    if runtime.launcher == "deepspeed":
        return _deepspeed(arguments, ranks=ranks, runtime=runtime)
    return _slurm(arguments, ranks=ranks, runtime=runtime)


def torchrun_command(
    arguments: Sequence[str],
    *,
    nodes: int,
    ranks: int,
    endpoint: str,
    run_id: str,
    shutdown_seconds: int,
) -> list[str]:
    """What starts its share of `ranks` on each of `nodes` machines, run once on each.

    `endpoint` is host and port of one of them; `shutdown_seconds` is how long a checkpoint may
    take that SIGTERM asks for.
    """
    return [
        "torchrun",
        f"--nnodes={nodes}",
        f"--nproc-per-node={ranks // nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={endpoint}",
        f"--rdzv-id={run_id}",
        f"--shutdown-timeout={shutdown_seconds}",
        *arguments,
    ]


def _slurm(arguments: Sequence[str], *, ranks: int, runtime: Runtime) -> list[str]:
    if "SLURM_JOB_ID" not in os.environ:
        raise ConfigError(
            "runtime.launcher=slurm, but this is no Slurm allocation; submit the script that "
            "`hornbook train slurm` writes, or salloc first"
        )
    nodes = int(os.environ["SLURM_JOB_NUM_NODES"])
    if ranks % nodes:
        raise ConfigError(
            f"train.ranks={ranks} cannot be spread over the {nodes} machines of this allocation; "
            f"ask for a number of machines that divides it"
        )
    shown = ["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]]
    head = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.split()[0]
    each_one = ["--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    return [
        "srun",
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        *each_one,
        *torchrun_command(
            arguments,
            nodes=nodes,
            ranks=ranks,
            endpoint=f"{head}:{runtime.master_port or PORT}",
            run_id=os.environ["SLURM_JOB_ID"],
            shutdown_seconds=_SHUTDOWN_SECONDS,
        ),
    ]


def _deepspeed(arguments: Sequence[str], *, ranks: int, runtime: Runtime) -> list[str]:
    if runtime.hostfile is None or not Path(runtime.hostfile).is_file():
        raise ConfigError(
            f"runtime.hostfile={runtime.hostfile}: runtime.launcher=deepspeed needs a file with a "
            f"line `HOST slots=N` for each machine"
        )
    slots = hostfile_slots(Path(runtime.hostfile))
    if sum(slots.values()) != ranks:
        raise ConfigError(
            f"train.ranks={ranks}, but {runtime.hostfile} has {sum(slots.values())} slots "
            f"({', '.join(f'{host} {count}' for host, count in slots.items())}); make them equal"
        )
    module, *rest = arguments[1:]
    return [
        str(Path(sys.executable).with_name("deepspeed")),
        f"--hostfile={runtime.hostfile}",
        f"--master_port={runtime.master_port or PORT}",
        "--force_multi",
        "--no_local_rank",
        "--quiet",
        "--module",
        module,
        *rest,
    ]


def hostfile_slots(file: Path) -> dict[str, int]:
    """Ranks by host name, in the order of the file.

    Raises:
        ConfigError: A line is not `HOST slots=N`.
    """
    found: dict[str, int] = {}
    for number, raw in enumerate(file.read_text("utf-8").splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        host, _, slots = line.partition(" slots=")
        if not slots.isdigit() or host.strip() in found:
            raise ConfigError(f"{file}:{number}: {raw!r}; expected HOST slots=N, each host once")
        found[host.strip()] = int(slots)
    return found


def _run_launcher(command: Sequence[str], runtime: Runtime) -> None:
    # what ssh does not carry over; DeepSpeed's launcher exports what this file holds
    kept = ("HORNBOOK_", "DVC_", "GLOO_", "NCCL_", "DS_")
    told = "".join(
        f"{name}={value}\n" for name, value in sorted(os.environ.items()) if name.startswith(kept)
    )
    with tempfile.NamedTemporaryFile("w", suffix=".env", encoding="utf-8") as file:
        file.write(told)
        file.flush()
        try:
            process = subprocess.Popen(command, env={**os.environ, "DS_ENV_FILE": file.name})
        except FileNotFoundError as error:
            raise ConfigError(
                f"runtime.launcher={runtime.launcher} needs {command[0]}, which is not there"
            ) from error
        with _passed_on([process]):
            status = process.wait()
    if status:
        raise StageError(
            f"{Path(command[0]).name} ended with status {status}; what the ranks said is above, "
            f"and the same command goes on from the last checkpoint"
        )
