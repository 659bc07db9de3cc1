"""Great Expectations as the gate of every dataset, run inside the stage that writes it."""

import logging
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hornbook.config import Expectation
from hornbook.errors import ConfigError, ExpectationError

if TYPE_CHECKING:
    import pandas as pd

NAMED_ROWS = 10


def judge(
    dataset: str, frame: "pd.DataFrame", expectations: Sequence[Expectation], key: str
) -> dict[str, Any]:
    """Results of one suite without anything that depends on when or where it ran.

    Returns a mapping with `success`, `rows` and one record per expectation: its type, arguments,
    success, what was observed, how many rows broke it, and up to ten of them by column `key`.

    Raises:
        ConfigError: An expectation is unknown to Great Expectations or has wrong arguments.
    """
    load()
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # pyright: ignore[reportAttributeAccessIssue]
    source = context.data_sources.add_pandas("frame")
    batch = source.add_dataframe_asset(dataset).add_batch_definition_whole_dataframe("all")
    suite = gx.ExpectationSuite(name=dataset)
    for expectation in expectations:
        suite.add_expectation(_build(dataset, expectation))
    result = batch.get_batch({"dataframe": frame}).validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [key],
            "partial_unexpected_count": NAMED_ROWS,
        },
    )
    records = [_record(one.to_json_dict(), key) for one in result.results]
    return {
        "success": bool(result.success),
        "rows": len(frame),
        "key": key,
        "expectations": sorted(records, key=lambda r: (r["type"], str(r["kwargs"]))),
    }


def load() -> None:
    """Import Great Expectations, which calls nobody."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import_module("great_expectations")


def _build(dataset: str, expectation: Expectation) -> Any:  # noqa: ANN401 - GX's own class
    from great_expectations.expectations import registry

    try:
        kind = registry.get_expectation_impl(expectation.type)
    except Exception as error:
        raise ConfigError(
            f"expectations of {dataset}: {expectation.type!r} is not one that Great Expectations "
            f"knows"
        ) from error
    try:
        return kind(**expectation.kwargs)
    except Exception as error:
        raise ConfigError(
            f"expectations of {dataset}: {expectation.type} does not take {expectation.kwargs}: "
            f"{error}"
        ) from error


def _record(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    config, result = raw["expectation_config"], raw.get("result", {})
    kwargs = {k: v for k, v in config["kwargs"].items() if k != "batch_id"}
    rows = [entry.get(key) for entry in result.get("unexpected_index_list") or []]
    error = (raw.get("exception_info") or {}).get("exception_message")
    return {
        "type": config["type"],
        "kwargs": kwargs,
        "success": bool(raw["success"]),
        "observed": result.get("observed_value"),
        "unexpected": int(result.get("unexpected_count") or 0),
        "rows": [str(row) for row in rows[:NAMED_ROWS]],
        "error": error,
    }


def refuse(stage: str, dataset: str, result: Mapping[str, Any], out: str) -> None:
    """Stop the stage when its dataset failed.

    Raises:
        ExpectationError: With each failed expectation, what was observed and the rows.
    """
    if result["success"]:
        return
    lines: list[str] = []
    for record in result["expectations"]:
        if record["success"]:
            continue
        seen = f"observed {record['observed']}" if record["observed"] is not None else ""
        broke = f"{record['unexpected']} rows" if record["unexpected"] else ""
        rows = f"{result['key']}: {', '.join(record['rows'])}" if record["rows"] else ""
        detail = "; ".join(part for part in (seen, broke, rows, record["error"] or "") if part)
        lines.append(f"  {record['type']} {record['kwargs']}: {detail}")
    raise ExpectationError(
        f"{stage}: dataset {dataset!r} ({result['rows']} rows) broke its expectations:\n"
        + "\n".join(lines)
        + f"\nto put the last good artifact back: dvc checkout {out}"
    )
