"""Stage `evaluate_seed@VARIANT-SEED`: all suites on a variant trained from another seed."""

from hornbook.artifacts import write_json
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.evaluate import (
    NO_TASKS,
    expect_items,
    load_lm,
    numbers,
    run_suite,
    save_results,
    tasks_of,
)
from hornbook.stage import Run


def evaluate_seed(run: Run) -> None:
    """A folder for each suite with what `evaluate@VARIANT-SUITE` writes; the model loads once."""
    variant, _, _ = str(run.instance).rpartition("-")
    settings = run.section("evaluate", Evaluate)
    suites = {suite: tasks_of(settings, suite) for suite in sorted(settings.suites)}
    total = sum(map(len, suites.values()))
    rows, flat = 0, dict[str, float]()
    with run.progress(None, "requests", f"{total} benchmarks") as progress:
        lm = load_lm(run, run.input(f"artifacts/train_seed/{run.instance}"), settings, progress)
        for suite, tasks in suites.items():
            cells, scored = run_suite(run, suite, lm, settings, progress)
            reason = None if tasks else NO_TASKS
            save_results(run.out / suite, variant, suite, cells, scored, reason=reason)
            if scored:
                expect_items(run, f"items of {suite}", scored)
            rows += len(scored)
            flat |= numbers(cells)
    write_json(run.out / "metrics.json", flat)
    run.summary(rows=rows, benchmarks=total, **flat)
