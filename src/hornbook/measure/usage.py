"""What a stage uses of the machine while it runs, as points that MLflow draws as system metrics."""

import sys
import threading
import time
from typing import Any

import psutil

FIRST_SECONDS = 2.0  # between two points; doubled whenever there are too many
MOST_POINTS = 200


class Usage:
    """Points `{seconds, metrics}` of this process, its children and the machine, until `stop`.

    Names that MLflow's own monitor uses mean what they mean there (of the whole machine, per cent
    and MB); `system/stage_*` are of the stage's processes: cores in use and MB resident.
    """

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []
        self._every = FIRST_SECONDS
        self._started = time.monotonic()
        self._end = threading.Event()
        self._cpu: dict[int, float] = {}
        self._at = self._started
        self._thread = threading.Thread(target=self._watch, name="usage", daemon=True)
        self._thread.start()

    def stop(self) -> list[dict[str, Any]]:
        """The points so far; no more come."""
        self._end.set()
        self._thread.join()
        return self.points

    def _watch(self) -> None:
        self._stage()  # of which the first difference is
        psutil.cpu_percent()
        while not self._end.wait(self._every):
            now = time.monotonic()
            metrics = {f"system/{key}": value for key, value in self._look().items()}
            self.points.append({"seconds": round(now - self._started, 1), "metrics": metrics})
            if len(self.points) >= MOST_POINTS:
                self.points = self.points[1::2]
                self._every *= 2

    def _look(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        found = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": round(memory.used / 1e6),
            "system_memory_usage_percentage": memory.percent,
        }
        return {**found, **self._stage(), **_accelerator()}

    def _stage(self) -> dict[str, float]:
        """Cores in use since the last look, and memory now, of this process and those below it."""
        cpu: dict[int, float] = {}
        resident = 0
        for process in [me := psutil.Process(), *me.children(recursive=True)]:
            try:
                times = process.cpu_times()
                cpu[process.pid] = times.user + times.system
                resident += process.memory_info().rss
            except psutil.Error:
                continue  # it has ended
        now = time.monotonic()
        used = sum(value - self._cpu.get(pid, 0.0) for pid, value in cpu.items())
        passed, self._cpu, self._at = now - self._at, cpu, now
        cores = round(used / passed, 2) if passed > 0 else 0.0
        return {"stage_cpu_cores": cores, "stage_memory_megabytes": round(resident / 1e6)}


def _accelerator() -> dict[str, float]:
    """Memory of the GPU that this process computes on; nothing where it has none."""
    # an import of torch that is going on in the stage shows here as a module without its parts
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if not getattr(cuda, "is_initialized", bool)():
        return {}
    free, total = sys.modules["torch"].cuda.mem_get_info()
    return {
        "gpu_0_memory_usage_megabytes": round((total - free) / 1e6),
        "gpu_0_memory_usage_percentage": round(100 * (total - free) / total, 1),
    }
