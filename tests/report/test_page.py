"""The overview is the same for the same artifacts, and every number leads to its artifact."""

import re

import pytest

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.report.charts import dots, thinned, ticks
from hornbook.report.lineage_drawing import Node, place, reduced
from hornbook.report.report import pictures, read_curve, report
from hornbook.report.statistics import facts
from tests.report.sample import open_run


@pytest.fixture(scope="module")
def text(made):
    return (made / "artifacts/report/page/index.html").read_text("utf-8")


def test_every_artifact_stands_there_with_its_full_hash_and_path(made, text):
    lock = load_lock(made)
    for name, stage in load_graph(made).stages.items():
        if name != "report":
            assert lock[name].out_hash in text
            assert f">{stage.out}<" in text


def test_every_score_links_to_the_evaluation_it_came_from(made, text):
    tables = read_json(made / "artifacts/report/tables/tables.json")
    cells = [c for row in tables["micro"] for c in row["cells"].values()]
    assert len(cells) == 21
    for cell in cells:
        target = f"artifact-{cell['stage'].replace('@', '-')}.html"
        shown = rf'<a class="value" href="{target}"[^>]*>{cell["value"]:.3f} '
        assert re.search(shown, text)


def test_its_own_hash_and_anything_not_declared_as_input_stay_out(made, text):
    assert load_lock(made)["report"].out_hash not in text
    assert str(made) not in text


def test_measurements_do_not_change_a_byte(made, text):
    write_json(made / ".hornbook/measurements/train@phi-1_5.json", {"seconds": 3, "out_hash": "x"})
    again = open_run(made, "report")
    report(again)
    assert (again.out / "index.html").read_text("utf-8") == text


def test_an_edge_that_others_imply_is_not_drawn():
    chain = {"a": (), "b": ("a",), "c": ("a", "b")}
    assert reduced(chain) == {"a": (), "b": ("a",), "c": ("b",)}


def test_a_noun_stands_left_of_those_that_read_it_and_cards_do_not_overlap(made):
    graph = load_graph(made)
    nodes = [
        Node(name, stage.meta["group"], "0" * 32, stage.producers, name)
        for name, stage in graph.stages.items()
    ]
    cards = {card.group: card for card in place(nodes)}
    home = {node.name: node.group for node in nodes}
    for node in nodes:
        for producer in node.producers:
            if home[producer] != node.group:
                left = cards[home[producer]]
                assert left.x + left.width < cards[node.group].x
    for one in cards.values():
        for other in cards.values():
            if one.group < other.group and one.column == other.column:
                assert one.y + one.height <= other.y or other.y + other.height <= one.y


def test_nouns_that_read_each_other_still_get_a_place():
    nodes = [Node("a1", "a", "", (), ""), Node("b1", "b", "", ("a1",), "")]
    nodes.append(Node("a2", "a", "", ("b1",), ""))
    assert len(place(nodes)) == 2


def test_a_long_curve_is_thinned_to_means_and_a_short_one_stays():
    points = [(float(i), float(i)) for i in range(10)]
    assert thinned(points, 10) == points
    assert thinned(points, 5) == [(0.5, 0.5), (2.5, 2.5), (4.5, 4.5), (6.5, 6.5), (8.5, 8.5)]


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (1.2, 6.9, [2, 4, 6]), (3, 3, [3])],
)
def test_ticks_are_round_and_within(low, high, found):
    assert ticks(low, high, 5) == found


@pytest.mark.parametrize("content", ["", "step,tokens\n1,2\n", "step,tokens,loss\n1,2,x\n"])
def test_a_damaged_curve_names_the_file_and_the_remedy(tmp_path, content):
    file = tmp_path / "curve.csv"
    file.write_text(content)
    with pytest.raises(ArtifactError, match=r"curve\.csv .*dvc checkout"):
        read_curve(file)


def test_a_task_without_any_score_has_no_place_in_the_chart(made):
    tables = read_json(made / "artifacts/report/tables/tables.json")
    rows = tables["micro"]
    for shown in rows[0]["cells"].values():
        shown["value"] = None
    text = dots(rows, list(rows[0]["cells"]))
    assert text.count("<circle") == 18
    assert ">functions<" not in text


def test_drops_are_told_by_reason_largest_first_and_zeros_left_out():
    found = facts(
        {"dropped": {"too_short": 2, "low_value": 9, "spam": 0}, "rows": 4}, without="rows"
    )
    assert found.counts == (("dropped", (("low value", "9"), ("too short", "2"))),)


def test_overlap_with_benchmarks_is_told_as_items_found_among_those_looked_for():
    found = facts({"overlap": {"micro_mind": {"items": 9, "checked": 8, "overlapping": 3}}})
    assert found.counts == (("benchmark items found", (("micro mind", "3 of 8"),)),)


def test_pictures_are_those_that_the_manifest_shows_and_that_are_there(tmp_path):
    (tmp_path / "coverage.png").write_bytes(b"\x89PNG")
    meta = {"group": "topics", "show": ["coverage.png", "absent.png", "summary.json"]}
    assert pictures(tmp_path, meta) == [tmp_path / "coverage.png"]
    assert pictures(tmp_path, meta | {"group": "report"}) == []
