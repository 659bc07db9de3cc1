"""Ray: joining a cluster, and tasks on it that survive the loss of a worker or a machine.

Inputs and pending files are read and written in place, so the checkout has to lie on a file system
that every machine of the cluster sees under the same path.
"""

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hornbook.errors import ConfigError, StageError
from hornbook.runtime import Runtime

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}  # nobody is called unasked
RETRIES = 3  # of a task whose worker is gone
LOOK_SECONDS = 0.5
T = TypeVar("T")


def joined(runtime: Runtime) -> Any:  # noqa: ANN401 - Ray is optional
    """Ray, joined to the cluster that RAY_ADDRESS names or started on this machine.

    Raises:
        ConfigError: Ray is not installed, or no cluster can be joined or started.
    """
    os.environ.update(QUIET)
    is_here = not os.environ.get("RAY_ADDRESS")
    if not is_here and _has_token():  # before the import, which reads it
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "runtime.compute=ray needs Ray, which is not installed: pip install ray, "
            "or HORNBOOK_COMPUTE=local"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(
                num_cpus=runtime.workers if is_here else None,
                include_dashboard=False if is_here else None,
                log_to_driver=False,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"no Ray cluster at RAY_ADDRESS={os.environ.get('RAY_ADDRESS', 'this machine')}: "
                f"{error}; `ray status` says whether one runs. One that asks for a token needs "
                f"RAY_AUTH_MODE=token and the head's ~/.ray/auth_token on every machine"
            ) from error
    return ray


def _has_token() -> bool:
    """Whether this user has a token of Ray's: `ray start --head` then lets in nobody without it.

    A cluster that asks for none takes no offence at one.
    """
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or path.is_file()


def on_ray(
    runtime: Runtime, function: Callable[..., T], calls: Sequence[tuple[Any, ...]]
) -> Generator[T | None]:
    """Results as they come; None where none came for a while.

    Raises:
        StageError: A task lost its worker again and again.
    """
    ray = joined(runtime)
    task = ray.remote(function).options(num_cpus=1, max_retries=RETRIES)
    most = 2 * max(runtime.workers, int(ray.cluster_resources().get("CPU", 1)))
    waiting, running = list(reversed(calls)), []
    lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError)  # fmt: skip
    while waiting or running:
        while waiting and len(running) < most:
            running.append(task.remote(*waiting.pop()))
        ended, running = ray.wait(running, timeout=LOOK_SECONDS)
        for reference in ended:
            try:
                yield ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except lost as error:
                raise StageError(
                    f"a Ray worker died {RETRIES + 1} times at the same shard: {error}"
                ) from error
        if not ended:
            yield None
