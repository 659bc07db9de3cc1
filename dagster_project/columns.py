"""Columns of an artifact's table: their types and, where `dvc.yaml` declares it, where from.

`meta.columns` of a stage names for a column the producer's column that it is taken or computed
from, as `FAMILY:COLUMN`; `"*": FAMILY` stands for every other column, passed on as it is. Of
several families each instance reads the one that is among its producers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.manifest import stage_key
from hornbook.lineage.manifest import Graph, Stage

ALL = "*"


def table_file(out: Path, stage: Stage) -> Path | None:
    """The first shard of the table that an artifact is about, if it is a table."""
    names = ["part", *stage.meta.get("datasets", []), "index"]
    found = (out / f"{name}{end}.parquet" for name in names for end in ("", "-00000"))
    return next((file for file in found if file.exists()), None)


def column_types(out: Path, stage: Stage) -> dict[str, str]:
    """The columns with their types, from the file's footer; empty where there is no table."""
    file = table_file(out, stage)
    if file is None:
        return {}
    import pyarrow.parquet as pq

    schema = pq.read_schema(file)
    return {field.name: str(field.type) for field in schema}


def column_metadata(root: Path, stage: Stage, graph: Graph) -> dict[str, Any]:
    """Dagster's own keys for the schema and the lineage of columns."""
    types = column_types(root / stage.out, stage)
    if not types:
        return {}
    columns = [dg.TableColumn(name, kind) for name, kind in types.items()]
    found: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns)}
    sources = {
        column: [dg.TableColumnDep(stage_key(name), read) for name, read in made]
        for column in types
        if (made := [*column_sources(root, stage, graph, column)])
    }
    if sources:
        found["dagster/column_lineage"] = dg.TableColumnLineage(deps_by_column=sources)
    return found


def column_sources(
    root: Path, stage: Stage, graph: Graph, column: str
) -> Iterator[tuple[str, str]]:
    """The stages and columns behind a column, as far as they are declared and there."""
    declared: Mapping[str, Any] = stage.meta.get("columns", {})
    told = declared.get(column) or [f"{one}:{column}" for one in _several(declared.get(ALL))]
    for place in _several(told):
        family, _, read = place.partition(":")
        for name in stage.producers:
            producer = graph.stages[name]
            if family == producer.family and read in column_types(root / producer.out, producer):
                yield name, read


def _several(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []
