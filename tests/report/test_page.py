"""The page is one file, the same for the same artifacts, and every number leads to its artifact."""

import re
from html.parser import HTMLParser

import pytest

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.report.charts import dots, thinned, ticks
from hornbook.report.lineage_drawing import Node, place, reduced
from hornbook.report.report import pictures, read_curve, report
from hornbook.report.statistics import facts
from tests.report.sample import open_run


class Page(HTMLParser):
    """Ids, links and what is loaded from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.open, self.wrong = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        self.loads += [found[key] for key in ("src", "href") if key in found and tag != "a"]
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


@pytest.fixture(scope="module")
def text(made):
    return (made / "artifacts/report/page/report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def parsed(text):
    return Page(text)


def test_it_is_well_formed_with_unique_ids(parsed):
    assert parsed.wrong == []
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))


def test_every_link_leads_to_something_on_the_page(parsed):
    assert {link for link in parsed.links if link.removeprefix("#") not in parsed.ids} == set()


def test_nothing_is_loaded_from_elsewhere(parsed, text):
    assert parsed.loads == ["data:,"]
    assert not re.search(r"url\(|@import|https?://", text)


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
        target = f"#artifact-{cell['stage'].replace('@', '-')}"
        shown = rf'<a class="value" href="{target}"[^>]*>{cell["value"]:.3f} '
        assert re.search(shown, text)


def test_its_own_hash_and_anything_not_declared_as_input_stay_out(made, text):
    assert load_lock(made)["report"].out_hash not in text
    assert str(made) not in text


def test_measurements_do_not_change_a_byte(made, text):
    write_json(made / ".hornbook/measurements/train@phi-1_5.json", {"seconds": 3, "out_hash": "x"})
    again = open_run(made, "report")
    report(again)
    assert (again.out / "report.html").read_text("utf-8") == text


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


def test_text_from_artifacts_cannot_break_the_page(made):
    file = made / "artifacts/topics/seeds/summary.json"
    before = file.read_text("utf-8")
    try:
        write_json(file, {"rows": 3, "cost_usd": 0.0, "note": "<script>alert(1)</script>"})
        run = open_run(made, "report")
        report(run)
        assert "<script>alert" not in (run.out / "report.html").read_text("utf-8")
    finally:
        file.write_text(before)


def test_pictures_that_the_manifest_shows_stand_on_the_page_itself(tmp_path):
    (tmp_path / "coverage.png").write_bytes(b"\x89PNG")
    meta = {"group": "topics", "show": ["coverage.png", "absent.png", "summary.json"]}
    assert pictures(tmp_path, meta) == ("data:image/png;base64,iVBORw==",)
    assert pictures(tmp_path, meta | {"group": "report"}) == ()
