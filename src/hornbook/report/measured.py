"""What was measured on this machine, joined when it is shown: no artifact holds any of it."""

import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.stage import measurements_file

Measured = Mapping[str, Mapping[str, Any]]
TRAINING, WRITING = frozenset({"train", "train_seed"}), frozenset({"perplexity"})
OTHERWISE = (
    "inference was not measured here for {names}: their perplexity was computed elsewhere or "
    "before it measured; run: {command}"
)


def measured_here(root: Path, families: Set[str]) -> dict[str, dict[str, Any]]:
    """Measurements by stage, of those whose recorded bytes were made on this machine.

    `artifact` is added to each: the hash of these bytes.
    """
    found: dict[str, dict[str, Any]] = {}
    lock = load_lock(root)
    for name, stage in load_graph(root).stages.items():
        file = measurements_file(root, name)
        if stage.family in families and name in lock and file.exists():
            measured = json.loads(file.read_text("utf-8"))
            if measured.get("out_hash") == lock[name].out_hash:
                found[name] = {**measured, "artifact": lock[name].out_hash}
    return found


def with_inference(table: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    """Table 1 with time and memory of our variants, where this machine has measured them."""
    rows: list[Mapping[str, Any]] = []
    for row in table["rows"]:
        taken = _inference(measured, row["variant"])
        if row["kind"] == "ours" and taken:
            cells = {
                "inf_speed_ms_per_token": {"value": taken["ms_per_token"]},
                "inf_memory_GB_ctx2048": {"value": taken["memory_mib"] * 2**20 / 1e9},
            }
            row = {**row, "cells": row["cells"] | cells}  # noqa: PLW2901 - the same row, filled
        rows.append(row)
    return {**table, "rows": rows}


def how_measured(measured: Measured, variants: list[str]) -> str:
    """On what and at which context, or what to run where nothing was measured."""
    taken = {name: _inference(measured, name) for name in variants}
    told = [
        f"ours: greedy, one text, {one['device']}, {one['dtype']}, {one['attention']} attention, "
        f"context {one['context_tokens']:,}, memory: {one['memory_of']}"
        for one in taken.values()
        if one
    ]
    absent = [name for name, one in taken.items() if not one]
    if absent:
        command = f"hornbook perplexity {absent[0]}"
        told.append(OTHERWISE.format(names=", ".join(absent), command=command))
    return "; ".join(dict.fromkeys(told))


def _inference(measured: Measured, variant: str | None) -> Mapping[str, Any]:
    return measured.get(f"perplexity@{variant}", {}).get("inference", {})
