"""A diff of one stage is of what it is made from, and of nothing else."""

import pytest

from hornbook.diff.drawing import draw
from hornbook.diff.found import find
from hornbook.diff.html import page
from hornbook.diff.terminal import lines
from hornbook.lineage import cells


@pytest.fixture
def changed(ran):
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    ran.dvc("repro", "-q")
    return ran


def test_a_stage_is_drawn_with_what_it_is_made_from(changed):
    drawn = draw(find(changed.root, "HEAD", "workspace", "branch@one"))
    assert "Graph of 2 stages, 1 of which wrote other bytes" in drawn
    assert "branch@one: first cause (parameter right.level: 1 -&gt; 2)" in drawn
    assert "base: the same" in drawn
    assert "branch@two" not in drawn


def test_the_whole_graph_has_every_stage_and_thick_lines_for_what_carried_other_bytes(changed):
    drawn = draw(find(changed.root, "HEAD", "workspace"))
    assert "Graph of 4 stages, 3 of which wrote other bytes" in drawn
    assert drawn.count('class="edge carries"') == 2  # from both branches to the end
    assert drawn.count('class="edge"') == 2  # from the base to both


def test_numbers_are_no_answer_for_a_stage_that_is_made_without_the_tables(changed, monkeypatch):
    monkeypatch.setattr(cells, "SOURCES", {"end": ("tables.json", cells.read_tables)})
    without = find(changed.root, "HEAD", "workspace", "branch@one")
    assert without.numbers == []
    assert "tables" not in "\n".join(lines(without))
    assert "of the tables" not in page(without)
    assert find(changed.root, "HEAD", "workspace", "end").numbers is None  # it has none here
