"""`make ui`: Dagster, MLflow, and a watcher that keeps the definitions true to conf/ and src/.

Dagster reads code versions when it loads the definitions, so without the watcher an edit in conf/
would show only after pressing Reload.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dagster_project.alone import only_one, require_no_other_daemon
from dagster_project.manifest import ROOT
from dagster_project.pools import set_slots
from dagster_project.servers import Servers, home, say
from dagster_project.watch import changes, keep_conf_error, look, look_at_definitions
from hornbook.compose import write_params
from hornbook.errors import HornbookError
from hornbook.lineage.inputs import pull_inputs
from hornbook.runtime import load_runtime
from hornbook.track.addresses import require_driver, with_driver

SETTLE_SECONDS = 1.5
RELOAD_SECONDS = 120
POSTGRES = "HORNBOOK_POSTGRES_URL"
LOCATION = "hornbook"  # as in workspace.yaml
RELOAD = """mutation($name: String!){reloadRepositoryLocation(repositoryLocationName:$name){
  ... on WorkspaceLocationEntry{locationOrLoadError{__typename}}}}"""


def prepare_home() -> None:
    """Dagster's home: telemetry off, Postgres where the environment names one, pools of stages.

    Raises:
        InputError: The driver of that Postgres is not installed.
    """
    home().mkdir(parents=True, exist_ok=True)
    file = home() / "dagster.yaml"
    known = yaml.safe_load(file.read_text("utf-8")) or {} if file.exists() else {}
    settings: dict[str, Any] = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # no newsletter
        "concurrency": {"pools": {"granularity": "op"}},  # a slot for a stage, not for a run
    }
    is_shared = POSTGRES in os.environ
    if is_shared:
        require_driver(os.environ[POSTGRES], POSTGRES)
        os.environ[POSTGRES] = with_driver(os.environ[POSTGRES])
        settings["storage"] = {"postgres": {"postgres_url": {"env": POSTGRES}}}
    if {**settings, **known} != known:
        file.write_text(yaml.safe_dump({**settings, **known}), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home())) as instance:
        if is_shared:
            require_no_other_daemon(instance)
        set_slots(instance, load_runtime(ROOT))


def fetch_inputs() -> None:
    """The sample inputs, so that the first 'Materialize' finds them."""
    try:
        pull_inputs(ROOT)
    except HornbookError as error:
        say(f"{error}; the stages that read data/ will fail until then")


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


def watch(servers: Servers) -> None:
    """Follow changes until MLflow ends; a change is followed when all of it has been written."""
    known = last = look_at_definitions()
    while servers.keep_up():
        started = time.monotonic()
        now = look_at_definitions()
        cost = time.monotonic() - started
        if now == last and (changed := changes(known, now)):
            try:
                follow(changed, servers.port)
            except OSError as error:
                say(f"the webserver does not answer, asked again soon: {error}")
            else:
                # composing writes params.yaml, which is no change of somebody else
                known = {**now, **look([ROOT / "params.yaml"])}
        last = now
        time.sleep(max(SETTLE_SECONDS, cost * 200))


def main(arguments: Sequence[str]) -> int:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make ui", description=__doc__)
    parser.add_argument("--port", type=int, default=3000, help="Dagster's port")
    parser.add_argument("--mlflow-port", type=int, default=5000, help="MLflow's port")
    parser.add_argument("--mlflow-only", action="store_true", help="MLflow without Dagster")
    options = parser.parse_args(list(arguments))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background shells ignore it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers = Servers(options.port, options.mlflow_port)
    try:
        if options.mlflow_only:
            servers.start_mlflow("make mlflow MLFLOW_PORT")
            servers.wait_for_mlflow()
        else:
            with only_one(home(), f"http://127.0.0.1:{options.port}"):
                serve(servers)
    except HornbookError as error:
        sys.exit(f"make ui: {error}")
    except KeyboardInterrupt:
        say("stopping")
    finally:
        servers.stop()
    return 0


def serve(servers: Servers) -> None:
    """Start both UIs and follow changes until MLflow ends."""
    servers.require_port("make ui PORT")
    servers.start_mlflow("make ui MLFLOW_PORT")
    prepare_home()
    keep_conf_error(None)
    if needs_composing(edited_conf()) and compose_again():
        say("conf/ was edited: params.yaml written")
    fetch_inputs()
    servers.start_dagster()
    say(f"Dagster  http://127.0.0.1:{servers.port}  (Ctrl-C ends both)")
    watch(servers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
