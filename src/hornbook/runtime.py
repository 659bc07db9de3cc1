"""Where a stage runs. Nothing here may change a byte of a result, so nothing here is identity.

Values come, later ones winning, from `conf/runtime/default.yaml`, the ignored
`conf/runtime/local.yaml` and `HORNBOOK_<NAME>` in the environment.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT
from hornbook.errors import ConfigError
from hornbook.lineage.reading import refused


@dataclass(frozen=True, config=STRICT)
class Endpoint:
    """One of several endpoints; what it leaves out is as in `Runtime`."""

    url: str
    weight: Annotated[float, Field(gt=0)] = 1.0  # of the requests that it gets
    model: str | None = None  # its own name for teacher.model
    key_env: str | None = None
    concurrency: Annotated[int, Field(gt=0)] | None = None
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None


@dataclass(frozen=True, config=STRICT)
class Runtime:
    """Processes, endpoints and reporting of this machine."""

    workers: int  # processes of a data stage
    jobs: int  # stages that `hornbook run`, and Dagster on the cores, keep running side by side
    gpu_jobs: Annotated[int, Field(gt=0)]  # stages on the GPU that Dagster runs side by side
    endpoint_jobs: Annotated[int, Field(gt=0)]  # and of those that ask an endpoint
    compute: Literal["local", "ray"]  # where shards are worked on and the teacher's callers run
    transport: Literal["chat", "batch"]  # a call per request, or the Batch API at its price
    batch_requests: Annotated[int, Field(gt=0)]  # in one batch
    poll_seconds: Annotated[float, Field(gt=0)]  # between two looks at a batch
    concurrency: Annotated[int, Field(gt=0)]  # requests in flight at the heaviest endpoint
    requests_per_minute: Annotated[float, Field(gt=0)] | None  # of each endpoint; null is no limit
    tokens_per_minute: Annotated[float, Field(gt=0)] | None
    teacher_url: str | None  # OpenAI-compatible endpoint; null is the embedded teacher
    teacher_key_env: str  # the environment variable that holds its key
    endpoints: list[Endpoint]  # several instead of teacher_url
    max_cost_usd: Annotated[float, Field(ge=0)] | None  # hard cap for one stage; null is no cap
    max_total_tokens: Annotated[int, Field(ge=0)] | None  # prompt and answer tokens, likewise
    log_seconds: float  # at most one progress line in this time
    stop_seconds: Annotated[float, Field(ge=0)]  # that a stopped stage has before it is killed
    checkpoint_seconds: Annotated[float, Field(ge=0)] | None  # what a crash may cost; null: by size
    checkpoints_kept: Annotated[int, Field(ge=1)]  # the newest ones, in case the last is damaged
    data_workers: Annotated[int, Field(ge=0)] | None  # threads that draw batches ahead of training
    launcher: Literal["local", "deepspeed", "slurm"]  # who starts the ranks of a training
    hostfile: str | None  # for deepspeed: a line `HOST slots=N` for each machine
    master_port: Annotated[int, Field(gt=0, lt=65536)] | None  # where ranks meet; null is any


def load_runtime(root: Path) -> Runtime:
    """The runtime of this machine.

    Raises:
        ConfigError: A key is unknown or of the wrong type; the file or variable is named.
    """
    folder = root / "conf" / "runtime"
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for file in (folder / "default.yaml", folder / "local.yaml"):
        if file.exists():
            with refused(str(file.relative_to(root)), "it is a mapping, as default.yaml is"):
                found = dict((yaml.safe_load(file.read_text("utf-8")) or {}).items())
            values |= found
            origin |= dict.fromkeys(found, str(file.relative_to(root)))
    for name in sorted(Runtime.__dataclass_fields__):
        variable = f"HORNBOOK_{name.upper()}"
        if variable in os.environ:
            values[name] = yaml.safe_load(os.environ[variable])
            origin[name] = f"the environment variable {variable}"
    try:
        return TypeAdapter(Runtime).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]] or ["runtime"]
        kind = Endpoint if where[0] == "endpoints" and len(where) > 1 else Runtime
        raise ConfigError(
            f"runtime.{'.'.join(where)}={first['input']!r} in "
            f"{origin.get(where[0], 'conf/runtime/default.yaml')}: {first['msg']}; the keys are "
            f"{', '.join(sorted(kind.__dataclass_fields__))}"
        ) from error
