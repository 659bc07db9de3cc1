"""All that a diff found, for the terminal, a program or a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.diff.causes import Cause, StageDiff, as_json, causes, compare, made_with
from hornbook.diff.code_lines import CodeLines, code_lines
from hornbook.diff.contents import contents
from hornbook.diff.numbers import Moved, numbers_between
from hornbook.diff.revisions import State, read_state
from hornbook.diff.shown import Content
from hornbook.lineage import cells
from hornbook.lineage.manifest import Graph, load_graph


@dataclass(frozen=True)
class Found:
    """The differences between two states, of `stage` and what it reads or of all.

    `has_tables` is false where `stage` is made without the tables, so that their numbers say
    nothing of it.
    `numbers` is None where the cache lacks the tables of a side, `contents` where they were not
    asked for; `where_numbers` says of what cannot be read how it comes.
    """

    graph: Graph
    before: State
    after: State
    stage: str | None
    has_tables: bool
    stages: Sequence[StageDiff]
    causes: Sequence[Cause]
    code: Mapping[str, CodeLines]
    numbers: Sequence[Moved] | None
    where_numbers: str
    contents: Sequence[Content] | None

    def as_json(self) -> dict[str, Any]:
        """Everything for a program."""
        return {
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "numbers": None if self.numbers is None else [one.as_json() for one in self.numbers],
            "causes": [self._cause(one) for one in self.causes],
            "stages": as_json(self.stages),
            "contents": None if self.contents is None else [one.as_json() for one in self.contents],
        }

    def _cause(self, cause: Cause) -> dict[str, Any]:
        change = cause.change
        of = self.code.get(change.what) if change.kind == "code" else None
        return {
            **vars(change),
            "changed": cause.alone,
            "changed_with_inputs": cause.beside,
            "without_effect": cause.without,
            "lines": None if of is None else of.lines,
            "more_lines": None if of is None else of.more,
            "remarks": () if of is None else of.remarks,
        }


def find(root: Path, a: str, b: str, stage: str | None = None, *, is_deep: bool = False) -> Found:
    """The differences between two named states; with `is_deep` those in the artifacts too.

    Raises:
        ConfigError: A name or the stage is unknown.
    """
    graph, before, after = load_graph(root), read_state(root, a), read_state(root, b)
    stages = compare(graph, before, after, stage)
    every = causes(stages)
    first = [one.change for one in every if one.alone or one.beside]
    read = made_with(stage, before.lock, after.lock) if stage is not None else set(cells.SOURCES)
    has_tables = not read.isdisjoint(cells.SOURCES)
    numbers, remark = numbers_between(root, before, after) if has_tables else ([], "")
    return Found(
        graph=graph,
        before=before,
        after=after,
        stage=stage,
        has_tables=has_tables,
        stages=stages,
        causes=every,
        code=code_lines(root, before, after, first),
        numbers=numbers,
        where_numbers=remark,
        contents=contents(root, before, after, stages) if is_deep else None,
    )
