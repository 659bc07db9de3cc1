"""`make ui`: Dagster, MLflow, and a watcher that keeps the definitions true to conf/ and src/.

Dagster reads code versions when it loads the definitions, so without the watcher an edit in conf/
would show only after pressing Reload.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from dagster_project.manifest import ROOT
from hornbook.compose import write_params
from hornbook.errors import HornbookError
from hornbook.lineage.inputs import pull_inputs
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.processes import dvc_environment

HOME = ROOT / ".hornbook" / "dagster"
WATCHED = ("conf", "dagster_project", "dvc.yaml", "params.yaml")
SETTLE_SECONDS = 1.0


def say(text: str) -> None:
    """A line in the terminal that runs `make ui`."""
    sys.stdout.write(f"hornbook ui: {text}\n")
    sys.stdout.flush()


def environment() -> dict[str, str]:
    """Local state below .hornbook/, nobody called unasked."""
    return dvc_environment() | {
        "DAGSTER_HOME": os.environ.get("DAGSTER_HOME", str(HOME)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # five idle workers that nobody uses
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "ignore",
    }


def prepare_home() -> None:
    """Dagster's home with telemetry off; Postgres where the environment names one."""
    home = Path(os.environ.get("DAGSTER_HOME", HOME))
    home.mkdir(parents=True, exist_ok=True)
    file = home / "dagster.yaml"
    if file.exists():
        return
    text = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"  # no calls, no newsletter
    if "HORNBOOK_POSTGRES_URL" in os.environ:
        text += "storage:\n  postgres:\n    postgres_url:\n      env: HORNBOOK_POSTGRES_URL\n"
    file.write_text(text, encoding="utf-8")


def require_port(port: int, name: str, flag: str) -> None:
    """Exit with a clear message when somebody already listens."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"hornbook ui: port {port} for {name} is taken; choose another: {flag} N")


def fetch_inputs() -> None:
    """The sample inputs, so that the first 'Materialize' finds them."""
    try:
        pull_inputs(ROOT)
    except HornbookError as error:
        say(f"{error}; the stages that read data/ will fail until then")


def start_dagster(port: int) -> subprocess.Popen[bytes]:
    """`dagster dev` on `port`, in a process group of its own."""
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"]
    return subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"],
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
    )


def start_mlflow(port: int) -> subprocess.Popen[bytes]:
    """MLflow's UI over the local store."""
    store = ROOT / ".hornbook" / "mlflow"
    store.mkdir(parents=True, exist_ok=True)
    uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{store / 'mlflow.db'}")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    return subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )


def reload_definitions(port: int) -> bool:
    """Ask the webserver to load the definitions again; whether it did."""
    from dagster_graphql import DagsterGraphQLClient, ReloadRepositoryLocationStatus

    client = DagsterGraphQLClient("127.0.0.1", port_number=port)
    done = client.reload_repository_location("hornbook")
    return done.status is ReloadRepositoryLocationStatus.SUCCESS


def watched_state(root: Path = ROOT) -> dict[str, int]:
    """Times of the files that the definitions are read from: conf/ and the code of each stage."""
    try:
        code = {path for stage in load_graph(root).stages.values() for path in stage.code}
    except HornbookError:
        code = set[str]()  # a broken manifest shows when the definitions are loaded again
    state: dict[str, int] = {}
    for base in (root / name for name in sorted({*WATCHED, *code})):
        for file in [base] if base.is_file() else base.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                state[str(file)] = file.stat().st_mtime_ns
    return state


def on_change(changed: set[str], port: int) -> None:
    """Compose again when conf/ changed, then load the definitions again."""
    names = ", ".join(sorted(str(Path(name).relative_to(ROOT)) for name in changed)[:4])
    if any(Path(name).is_relative_to(ROOT / "conf") for name in changed):
        try:
            if write_params(ROOT, current_overrides()):
                names += "; params.yaml written"
        except HornbookError as error:
            say(f"conf/ does not compose, the UI keeps the last good one: {error}")
            return
    told = "definitions loaded again" if reload_definitions(port) else "definitions are broken"
    say(f"{names} changed: {told}")


def current_overrides() -> list[str]:
    """The overrides with which params.yaml was last composed by hand."""
    from hornbook.compose import last_overrides

    return last_overrides(ROOT)


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the webserver answers; exit when it died."""
    url = f"http://127.0.0.1:{port}/server_info"
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    sys.exit("hornbook ui: dagster dev ended; its message is above")


def watch(port: int, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Follow changes until a process ends."""
    before = watched_state()
    while all(process.poll() is None for process in processes):
        time.sleep(SETTLE_SECONDS)
        now = watched_state()
        changed = {k for k in {*before, *now} if before.get(k) != now.get(k)}
        if changed:
            on_change(changed, port)
            now = watched_state()  # composing writes params.yaml
        before = now


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the process groups, gently first."""
    for number, seconds in ((signal.SIGINT, 15), (signal.SIGKILL, 5)):
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(p.poll() is None for p in processes):
            time.sleep(0.1)


def main(arguments: Sequence[str]) -> int:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make ui", description=__doc__)
    parser.add_argument("--port", type=int, default=3000, help="Dagster's port")
    parser.add_argument("--mlflow-port", type=int, default=5000, help="MLflow's port")
    parser.add_argument("--mlflow-only", action="store_true", help="MLflow without Dagster")
    options = parser.parse_args(list(arguments))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background shells ignore it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        require_port(options.mlflow_port, "MLflow", "--mlflow-port")
        processes.append(start_mlflow(options.mlflow_port))
        say(f"MLflow   http://127.0.0.1:{options.mlflow_port}")
        if options.mlflow_only:
            processes[0].wait()
            return 0
        require_port(options.port, "Dagster", "--port")
        prepare_home()
        fetch_inputs()
        processes.append(start_dagster(options.port))
        wait_until_up(options.port, processes[-1])
        say(f"Dagster  http://127.0.0.1:{options.port}  (Ctrl-C ends both)")
        watch(options.port, processes)
    except KeyboardInterrupt:
        say("stopping")
    finally:
        stop(processes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
