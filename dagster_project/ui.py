"""`make ui`: Dagster, MLflow, and a watcher that keeps the definitions true to conf/ and src/.

Dagster reads code versions when it loads the definitions, so without the watcher an edit in conf/
would show only after pressing Reload.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dagster_project.manifest import ROOT
from dagster_project.pools import set_slots
from dagster_project.watch import changes, keep_conf_error, look, look_at_definitions
from hornbook.compose import write_params
from hornbook.errors import HornbookError
from hornbook.lineage.inputs import pull_inputs
from hornbook.lineage.processes import dvc_environment
from hornbook.runtime import load_runtime

HOME = ROOT / ".hornbook" / "dagster"
SETTLE_SECONDS = 1.5
RELOAD_SECONDS = 120
LOCATION = "hornbook"  # as in workspace.yaml
RELOAD = """mutation($name: String!){reloadRepositoryLocation(repositoryLocationName:$name){
  ... on WorkspaceLocationEntry{locationOrLoadError{__typename}}}}"""


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
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        "PYTHONWARNINGS": "ignore",
    }


def prepare_home() -> None:
    """Dagster's home: telemetry off, Postgres where the environment names one, pools of stages."""
    home = Path(os.environ.get("DAGSTER_HOME", HOME))
    home.mkdir(parents=True, exist_ok=True)
    file = home / "dagster.yaml"
    known = yaml.safe_load(file.read_text("utf-8")) or {} if file.exists() else {}
    settings: dict[str, Any] = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # no newsletter
        "concurrency": {"pools": {"granularity": "op"}},  # a slot for a stage, not for a run
    }
    if "HORNBOOK_POSTGRES_URL" in os.environ:
        settings["storage"] = {"postgres": {"postgres_url": {"env": "HORNBOOK_POSTGRES_URL"}}}
    if {**settings, **known} != known:
        file.write_text(yaml.safe_dump({**settings, **known}), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        set_slots(instance, load_runtime(ROOT))


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
    """Ask the webserver to load the definitions again; whether it did.

    Raises:
        OSError: It does not answer.
    """
    asked = json.dumps({"query": RELOAD, "variables": {"name": LOCATION}}).encode()
    address, headers = f"http://127.0.0.1:{port}/graphql", {"Content-Type": "application/json"}
    request = urllib.request.Request(address, asked, headers)
    with urllib.request.urlopen(request, timeout=RELOAD_SECONDS) as answer:  # noqa: S310 - http
        told = json.loads(answer.read())
    entry = ((told.get("data") or {}).get("reloadRepositoryLocation") or {}).get(
        "locationOrLoadError"
    ) or {}
    return entry.get("__typename") == "RepositoryLocation"


def follow(changed: set[str], port: int) -> None:
    """Compose again when conf/ changed, then load the definitions again."""
    names = ", ".join(sorted(str(Path(name).relative_to(ROOT)) for name in changed)[:4])
    if needs_composing(changed):
        names += "; params.yaml written" if compose_again() else ""
    elif str(ROOT / "params.yaml") in changed:
        keep_conf_error(None)  # who wrote it has composed it
    told = "definitions loaded again" if reload_definitions(port) else "definitions are broken"
    say(f"{names} changed: {told}")


def needs_composing(changed: Collection[str], root: Path = ROOT) -> bool:
    """Whether values changed in conf/ alone: who writes params.yaml as well has composed it."""
    files = [Path(name) for name in changed]
    is_conf = any(
        file.is_relative_to(root / "conf") and not file.is_relative_to(root / "conf" / "runtime")
        for file in files
    )
    return is_conf and root / "params.yaml" not in files


def compose_again(root: Path = ROOT) -> bool:
    """Write params.yaml from conf/, or keep for the definitions what is wrong; whether written."""
    try:
        is_written = write_params(root, current_overrides())
    except HornbookError as error:
        say(f"conf/ does not compose: {error}")
        keep_conf_error(str(error), root)
        return False
    keep_conf_error(None, root)
    return is_written


def edited_conf(root: Path = ROOT) -> set[str]:
    """What git has as changed of values, before anybody watched."""
    told = subprocess.run(
        ["git", "status", "--porcelain", "-z", "--", "conf", "params.yaml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return {str(root / line[3:]) for line in told.split("\0") if line}


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
    """Follow changes until a process ends; a change is followed when all of it has been written."""
    known = last = look_at_definitions()
    while all(process.poll() is None for process in processes):
        started = time.monotonic()
        now = look_at_definitions()
        cost = time.monotonic() - started
        if now == last and (changed := changes(known, now)):
            try:
                follow(changed, port)
            except OSError as error:
                say(f"the webserver does not answer, asked again soon: {error}")
            else:
                # composing writes params.yaml, which is no change of somebody else
                known = {**now, **look([ROOT / "params.yaml"])}
        last = now
        time.sleep(max(SETTLE_SECONDS, cost * 200))


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
        keep_conf_error(None)
        if needs_composing(edited_conf()) and compose_again():
            say("conf/ was edited: params.yaml written")
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
