"""All suites on one model, for stages that load it once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hornbook.artifacts import write_json
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.evaluate import (
    NO_TASKS,
    expect_items,
    numbers,
    run_suite,
    save_results,
    tasks_of,
)
from hornbook.stage import Run

if TYPE_CHECKING:
    from hornbook.evaluate.lm import LM
    from hornbook.progress import Progress


def run_suites(
    run: Run, name: str, settings: Evaluate, load: "Callable[[Progress], LM]", **facts: object
) -> None:
    """A folder for each suite with what `evaluate@VARIANT-SUITE` writes of a model `name`.

    The summary has `facts` beside the scores.
    """
    suites = {suite: tasks_of(settings, suite) for suite in sorted(settings.suites)}
    total = sum(map(len, suites.values()))
    rows, flat = 0, dict[str, float]()
    with run.progress(None, "requests", f"{total} benchmarks") as progress:
        lm = load(progress)
        for suite, tasks in suites.items():
            cells, scored = run_suite(run, suite, lm, settings, progress)
            reason = None if tasks else NO_TASKS
            save_results(run.out / suite, name, suite, cells, scored, reason=reason)
            if scored:
                expect_items(run, f"items of {suite}", scored)
            rows += len(scored)
            flat |= numbers(cells)
    write_json(run.out / "metrics.json", flat)
    run.summary(rows=rows, benchmarks=total, **facts, **flat)
