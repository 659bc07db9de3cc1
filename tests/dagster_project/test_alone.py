"""What keeps two `make ui` off one Dagster instance, and each off a port that is taken."""

import os
import socket
import time

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from dagster_project import alone, servers, ui
from dagster_project.alone import only_one, require_no_other_daemon
from hornbook.errors import InputError


def test_a_home_is_held_by_one_and_free_again_after_it(tmp_path):
    with only_one(tmp_path, "http://127.0.0.1:3000"):
        with (
            pytest.raises(
                SystemExit, match=r"already, at http://127\.0\.0\.1:3000 \(process \d+\)"
            ),
            only_one(tmp_path, "http://127.0.0.1:3001"),
        ):
            pass
        assert str(os.getpid()) in (tmp_path / "ui.lock").read_text()
    with only_one(tmp_path, "http://127.0.0.1:3001"):
        pass


def beat(instance, at):
    instance.add_daemon_heartbeat(DaemonHeartbeat(at, "SENSOR", "of another", []))


def test_a_daemon_that_beats_on_is_not_joined_and_one_that_has_stopped_is_no_hindrance(
    monkeypatch,
):
    with dg.DagsterInstance.ephemeral() as instance:
        require_no_other_daemon(instance)  # nobody was ever there
        beat(instance, time.time() - 60)
        require_no_other_daemon(instance)
        monkeypatch.setattr(alone, "BEAT_SECONDS", 2)
        beat(instance, time.time() - 1)
        require_no_other_daemon(instance)  # it was waited for, and is silent
        beat(instance, time.time() - 1)
        monkeypatch.setattr(time, "sleep", lambda _: beat(instance, time.time()))
        with pytest.raises(SystemExit, match="HORNBOOK_POSTGRES_URL"):
            require_no_other_daemon(instance)


def test_a_port_that_is_taken_is_refused_with_the_command_that_takes_another():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"port {port} .*make ui PORT=(?!{port})\d+"):
            servers.require_port(port, "Dagster", "make ui PORT")
    servers.require_port(port, "Dagster", "make ui PORT")


def test_a_postgres_without_its_driver_is_refused_before_dagster_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("HORNBOOK_POSTGRES_URL", "postgresql://host/dagster")
    monkeypatch.setattr("hornbook.track.addresses.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"HORNBOOK_POSTGRES_URL names a PostgreSQL.*psycopg2"):
        ui.prepare_home()
    assert not (tmp_path / "dagster.yaml").exists()
