"""The processes behind `make ui`: Dagster's, which are kept up, and MLflow's."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from dagster_project.manifest import ROOT
from hornbook.lineage.processes import dvc_environment, end_with_parent
from hornbook.runtime import load_runtime
from hornbook.track import addresses, index
from hornbook.track.addresses import require_driver
from hornbook.track.index import tracking_uri

HOME = ROOT / ".hornbook" / "dagster"
STEADY_SECONDS = 60  # what ends sooner after its start may end again
MOST_UNSTEADY = 3
MISSING_SECONDS = 5  # a reload puts another code server in the place of the first
CODE_SERVER = ["api", "grpc"]  # in its command line


def say(text: str) -> None:
    """A line in the terminal that runs `make ui`."""
    sys.stdout.write(f"make ui: {text}\n")
    sys.stdout.flush()


def environment() -> dict[str, str]:
    """Local state below .hornbook/, nobody called unasked."""
    return dvc_environment() | {
        "DAGSTER_HOME": str(home()),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # five idle workers that nobody uses
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        "PYTHONWARNINGS": "ignore",
    }


def home() -> Path:
    """Where Dagster keeps its settings, and without a Postgres its runs too."""
    return Path(os.environ.get("DAGSTER_HOME", HOME))


def require_port(port: int, name: str, command: str) -> None:
    """Exit when somebody already listens, with the `command` that takes the next free port."""
    if not _is_taken(port):
        return
    free = next((other for other in range(port + 1, port + 100) if not _is_taken(other)), 0)
    sys.exit(
        f"make ui: port {port} for {name} is taken by another program; choose another, such as: "
        f"{command}={free or 'N'}"
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_dagster(port: int) -> subprocess.Popen[bytes]:
    """`dagster dev` on `port`, in a process group of its own."""
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"]
    return subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"],
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - one call of the system, and no thread yet
    )


def start_mlflow(port: int) -> subprocess.Popen[bytes]:
    """MLflow's UI over the store that `hornbook track` writes to.

    Raises:
        InputError: The driver of its database is not installed.
    """
    uri = tracking_uri(ROOT)
    require_driver(uri, "MLFLOW_TRACKING_URI")
    index.folder(ROOT).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    return subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - as above
    )


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the webserver answers; exit when it died."""
    url = f"http://127.0.0.1:{port}/server_info"
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    sys.exit("make ui: dagster dev ended; its message is above")


class Servers:
    """MLflow on one port and Dagster on another."""

    def __init__(self, port: int, mlflow_port: int) -> None:
        self.port, self.mlflow_port = port, mlflow_port
        self._mlflow: subprocess.Popen[bytes] | None = None
        self._dagster: subprocess.Popen[bytes] | None = None
        self._code_server: psutil.Process | None = None
        self._started = self._seen = 0.0
        self._unsteady = 0  # starts, one after the other, that did not last

    def require_port(self, command: str) -> None:
        """Exit where Dagster's port is taken."""
        require_port(self.port, "Dagster", command)
        os.environ.setdefault(addresses.DAGSTER, f"http://127.0.0.1:{self.port}")

    def start_mlflow(self, command: str) -> None:
        """Start MLflow where no server of it is named, and say where its models are."""
        if not addresses.is_server(tracking_uri(ROOT)):
            require_port(self.mlflow_port, "MLflow", command)
            os.environ.setdefault(addresses.MLFLOW, f"http://127.0.0.1:{self.mlflow_port}")
            self._mlflow = start_mlflow(self.mlflow_port)
        known = next(iter(index.load(ROOT).values()), None)
        models = f"/{addresses.models_page(known.experiment_id)}" if known else ""
        say(f"MLflow   {addresses.mlflow_url()}{models}")

    def wait_for_mlflow(self) -> None:
        """Return when it ends."""
        if self._mlflow:
            self._mlflow.wait()

    def start_dagster(self) -> None:
        """Start Dagster and wait until it answers."""
        self._started = time.monotonic()
        self._dagster = start_dagster(self.port)
        wait_until_up(self.port, self._dagster)
        self._code_server, self._seen = None, time.monotonic()

    def keep_up(self) -> bool:
        """Start Dagster again where a part of it was killed; whether MLflow is there too.

        Without its daemon nothing is launched, and without its code server the graph is gone;
        Dagster itself ends with the first and does not mend the second.
        """
        assert self._dagster is not None, "it was started"
        if self._dagster.poll() is not None or not self._has_code_server(self._dagster.pid):
            is_steady = time.monotonic() - self._started > STEADY_SECONDS
            self._unsteady = 0 if is_steady else self._unsteady + 1
            if self._unsteady > MOST_UNSTEADY:
                sys.exit("make ui: Dagster ends as soon as it is started; its message is above")
            say("a process of Dagster's was killed: starting it again; a run that was going on is")
            say("failed or cancelled, what its stages had finished is recorded")
            end([self._dagster])
            self.start_dagster()
        if self._mlflow is None or self._mlflow.poll() is None:
            return True
        say("MLflow has ended; make ui starts both again")
        return False

    def _has_code_server(self, above: int) -> bool:
        if self._code_server is None or not _is_alive(self._code_server):
            self._code_server = _code_server(above)
        if self._code_server is not None:
            self._seen = time.monotonic()
        return time.monotonic() - self._seen < MISSING_SECONDS

    def stop(self) -> None:
        """End all of them."""
        end([one for one in (self._mlflow, self._dagster) if one is not None])


def _code_server(above: int) -> psutil.Process | None:
    """The process below another one that has the definitions."""
    with suppress(psutil.NoSuchProcess):
        for one in psutil.Process(above).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if one.cmdline()[3:5] == CODE_SERVER and _is_alive(one):
                    return one
    return None


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the process groups, gently first; also what is left of one whose first process died."""
    patience = 15 + load_runtime(ROOT).stop_seconds  # for a training to write its checkpoint
    for number, seconds in ((signal.SIGINT, patience), (signal.SIGKILL, 5)):
        for process in processes:
            _signal(process, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(_signal(p, 0) for p in processes):
            time.sleep(0.1)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send it to a process and all that it started; whether anybody is there."""
    process.poll()  # a zombie of ours would count
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True
