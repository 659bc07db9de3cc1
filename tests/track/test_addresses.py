"""Where the UIs are, and which driver a database gets."""

import pytest

from hornbook.errors import InputError
from hornbook.track import addresses
from hornbook.track.addresses import (
    dagster_url,
    mlflow_url,
    require_driver,
    run_page,
    with_driver,
)
from hornbook.track.index import tracking_uri
from hornbook.track.store import Store


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch):
    for name in (addresses.DAGSTER, addresses.MLFLOW, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://a:b@host/mlflow", "postgresql+psycopg2://a:b@host/mlflow"),
        ("postgres://host/mlflow", "postgresql+psycopg2://host/mlflow"),
        ("postgresql+psycopg://host/mlflow", "postgresql+psycopg://host/mlflow"),
        ("http://postgresql://", "http://postgresql://"),
        ("sqlite:///a b.db", "sqlite:///a b.db"),
    ],
)
def test_postgres_without_a_driver_gets_the_one_that_is_installed(
    tmp_path, monkeypatch, given, used
):
    assert with_driver(given) == used
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    assert tracking_uri(tmp_path) == used


def test_a_driver_that_is_not_here_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(addresses, "find_spec", lambda _: None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://host/mlflow")
    with pytest.raises(InputError, match=r"MLFLOW_TRACKING_URI.*psycopg2.*\[team\]"):
        Store(tmp_path)
    require_driver("sqlite:///x", "X")
    monkeypatch.setattr(addresses, "find_spec", lambda _: object())
    require_driver("postgresql://host/mlflow", "X")


def test_links_go_where_the_uis_are(monkeypatch):
    assert (dagster_url(), mlflow_url()) == ("http://127.0.0.1:3000", "http://127.0.0.1:5000")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example/")
    assert run_page("1", "abc") == "https://mlflow.example/#/experiments/1/runs/abc"
    monkeypatch.setenv(addresses.MLFLOW, "http://127.0.0.1:5001")
    monkeypatch.setenv(addresses.DAGSTER, "http://127.0.0.1:3001")
    assert (dagster_url(), mlflow_url()) == ("http://127.0.0.1:3001", "http://127.0.0.1:5001")
