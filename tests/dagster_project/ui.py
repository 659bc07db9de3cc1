"""A running `make ui` of some checkout, asked over GraphQL as the browser asks it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from json import dumps, loads
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ASSETS = """{assetNodes{assetKey{path} groupName kinds isMaterializable staleStatus
  staleCauses{key{path} category reason}}}"""
LATEST = """query($key: AssetKeyInput!){assetOrError(assetKey:$key){... on Asset{
  assetMaterializations(limit:1){runId tags{key value} metadataEntries{label
    ... on TextMetadataEntry{text} ... on IntMetadataEntry{intValue}
    ... on MarkdownMetadataEntry{mdStr} ... on JsonMetadataEntry{jsonString}
    ... on PathMetadataEntry{path} ... on UrlMetadataEntry{url}}}}}}"""
LAUNCH = """mutation($p: ExecutionParams!){launchPipelineExecution(executionParams:$p){__typename
  ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}
  ... on RunConfigValidationInvalid{errors{message}}}}"""
RUN = """query($id: ID!){runOrError(runId:$id){... on Run{status
  stepStats{stepKey status startTime endTime}}}}"""
ERRORS = """query($id: ID!){logsForRun(runId:$id){... on EventConnection{events{__typename
  ... on MessageEvent{message}
  ... on RunFailureEvent{error{message causes{message}}}
  ... on ExecutionStepFailureEvent{error{message causes{message}}}}}}}"""
LOCATIONS = """{workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{
  ... on PythonError{message causes{message}}}}}}}"""
PARTITIONS = """query($key: AssetKeyInput!){assetNodeOrError(assetKey:$key){
  ... on AssetNode{partitionKeys}}}"""


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ui:
    """Dagster's webserver and daemon over a checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        self.home = root / ".hornbook" / "dagster"
        self.log = root / ".hornbook" / "ui.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Ui":
        """Start and wait until the assets are there."""
        self.log.parent.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DAGSTER")}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dagster_project.ui",
                "--port",
                str(self.port),
                "--mlflow-port",
                str(free_port()),
            ],
            cwd=self.root,
            env=environment | {"PYTHONPATH": str(ROOT / "src")},
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
        )
        self.wait(lambda: len(self.statuses()) > 1, 180, "the UI to answer")
        return self

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=100)  # what a run that is going on may take to end

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = loads(answer.read())
        assert "errors" not in told, told["errors"]
        return told["data"]

    def wait(self, condition: Any, seconds: float, what: str) -> Any:
        """Until `condition()` is true; fails with what was waited for and the log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except OSError:
                pass
            time.sleep(0.5)
        log = self.log.read_text("utf-8", errors="replace")[-3000:]
        raise AssertionError(f"waited {seconds} s for {what}; statuses {self.statuses()}\n{log}")

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Materialisable assets by key."""
        found = self.ask(ASSETS)["assetNodes"]
        return {"/".join(n["assetKey"]["path"]): n for n in found if n["isMaterializable"]}

    def statuses(self) -> dict[str, str]:
        """FRESH, STALE or MISSING of each stage."""
        nodes = self.nodes()
        return {k: n["staleStatus"] for k, n in nodes.items() if k not in {"experiments", "plan"}}

    def stale(self) -> set[str]:
        """Assets that are not in sync."""
        return {key for key, status in self.statuses().items() if status != "FRESH"}

    def why(self, key: str) -> list[tuple[str, str]]:
        """Categories and reasons of an asset that is out of sync."""
        return [(c["category"], c["reason"]) for c in self.nodes()[key]["staleCauses"]]

    def latest(self, key: str) -> dict[str, Any]:
        """Metadata of the newest materialisation, with `run` and `tags`."""
        answer = self.ask(LATEST, key={"path": key.split("/")})["assetOrError"]
        event = answer["assetMaterializations"][0]
        entries = {
            e["label"]: next(
                (
                    e[k]
                    for k in ("text", "intValue", "mdStr", "jsonString", "path", "url")
                    if k in e
                ),
                None,
            )
            for e in event["metadataEntries"]
        }
        tags = {tag["key"]: tag["value"] for tag in event["tags"]}
        return entries | {"run": event["runId"], "tags": tags}

    def launch(
        self,
        keys: Sequence[str] = (),
        *,
        job: str = "__ASSET_JOB",
        tags: Sequence[dict[str, str]] = (),
        config: dict[str, Any] | None = None,
    ) -> str:
        """Launch assets or a job as the UI's button does; the run's id."""
        selector: dict[str, Any] = {
            "repositoryLocationName": "hornbook",
            "repositoryName": "__repository__",
            "jobName": job,
        }
        if keys:
            selector["assetSelection"] = [{"path": key.split("/")} for key in keys]
        params = {
            "selector": selector,
            "runConfigData": dumps(config or {}),
            "executionMetadata": {"tags": list(tags)},
        }
        answer = self.ask(LAUNCH, p=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def finish(self, run: str, seconds: float = 120) -> dict[str, Any]:
        """The finished run with its step statistics."""

        def done() -> dict[str, Any] | None:
            told = self.ask(RUN, id=run)["runOrError"]
            return told if told["status"] in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return dict(self.wait(done, seconds, f"run {run}"))

    def materialise(self, *keys: str, seconds: float = 120) -> dict[str, Any]:
        """Launch and finish."""
        return self.finish(self.launch(keys), seconds)

    def events(self, run: str) -> list[dict[str, Any]]:
        """The events of a run, with the errors of failures."""
        return list(self.ask(ERRORS, id=run)["logsForRun"]["events"])

    def load_error(self) -> str:
        """Why the definitions do not load, empty when they do."""
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        error = entries[0]["locationOrLoadError"]
        causes = [cause["message"] for cause in error.get("causes", [])]
        return "\n".join([error["message"], *causes]) if "message" in error else ""

    def partitions(self, key: str) -> list[str]:
        """The partitions of an asset."""
        answer = self.ask(PARTITIONS, key={"path": key.split("/")})
        return list(answer["assetNodeOrError"]["partitionKeys"])

    def messages(self, run: str) -> str:
        """Everything the run logged."""
        parts: list[str] = []
        for event in self.events(run):
            parts.append(event.get("message") or "")
            error = event.get("error")
            if error:
                parts += [error["message"], *(cause["message"] for cause in error["causes"])]
        return "\n".join(parts)


def add_dagster(root: Path) -> None:
    """Give a toy checkout our Dagster project."""
    shutil.copytree(
        ROOT / "dagster_project",
        root / "dagster_project",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "workspace.yaml", root)
    shutil.copytree(ROOT / "conf" / "runtime", root / "conf" / "runtime")
