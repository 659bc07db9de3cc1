"""Where the two UIs are, for the links between them, and which database their settings name."""

import os
import re
from importlib.util import find_spec
from urllib.parse import quote, urlencode

from hornbook.errors import InputError

DAGSTER, MLFLOW = "HORNBOOK_DAGSTER_URL", "HORNBOOK_MLFLOW_URL"  # `make ui` sets both
_PLAIN = re.compile(r"^postgres(ql)?://")
_MODELS = {  # the three variants and their seeds, the best first, with curves and scores
    "workflowType": "machine_learning",
    "searchFilter": "tags.stage.family ILIKE 'train%'",
    "orderByKey": "metrics.`curves/eval_loss`",  # in any order but that of time runs are no tree
    "orderByAsc": "true",
}


def dagster_url() -> str:
    """Dagster's address without a slash at its end."""
    return os.environ.get(DAGSTER, "http://127.0.0.1:3000").rstrip("/")


def mlflow_url() -> str:
    """MLflow's address: that of a server which the environment names, else of the local UI."""
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    own = server if is_server(server) else "http://127.0.0.1:5000"
    return os.environ.get(MLFLOW, own).rstrip("/")


def is_server(uri: str) -> bool:
    """Whether a tracking store is a server of MLflow, which has its UI already."""
    return uri.startswith(("http://", "https://"))


def run_page(experiment_id: str, run_id: str) -> str:
    """The page of a run."""
    return f"{mlflow_url()}/#/experiments/{experiment_id}/runs/{run_id}"


def models_page(experiment_id: str, *, charts: bool = True) -> str:
    """The page, below MLflow's address, that has all models side by side."""
    shown = _MODELS | {"compareRunsMode": "CHART" if charts else "TABLE"}
    return f"#/experiments/{experiment_id}/runs?{urlencode(shown, quote_via=quote)}"


def with_driver(uri: str) -> str:
    """The address of a database; PostgreSQL without a driver's name gets the one that we install.

    SQLAlchemy 2.1 would take another for it, whose absence it reports as a missing module.
    """
    return _PLAIN.sub("postgresql+psycopg2://", uri)


def require_driver(uri: str, setting: str) -> None:
    """Refuse a PostgreSQL that cannot be reached from here.

    Raises:
        InputError: Its driver is not installed.
    """
    if with_driver(uri).startswith("postgresql+psycopg2:") and find_spec("psycopg2") is None:
        raise InputError(
            f"{setting} names a PostgreSQL, and its driver psycopg2 is not installed here; run: "
            f"uv pip install -c requirements.lock '.[team]'"
        )
