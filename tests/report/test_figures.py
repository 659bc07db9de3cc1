"""The paper's figures are those of its tables, each marked by whether it was seen."""

import pytest
import yaml

from hornbook.report.figures import load_figures
from hornbook.report.wording import paper_text

TABLES = ("table1", "table2", "table3", "table4")


@pytest.fixture(scope="module")
def reference(shared):
    file = shared.parent / "reference" / "paper_tables.yaml"
    if not file.exists():
        pytest.skip(f"no collection of the paper's figures at {file}")
    return yaml.safe_load(file.read_text("utf-8"))


@pytest.mark.parametrize("name", TABLES)
def test_every_figure_equals_the_collected_one_and_is_marked_alike(name, reference):
    rows = reference[f"phi_1_5_{name}"]["rows"]
    ours = {row.label: row for row in load_figures().tables[name].rows}
    assert list(ours) == [label.replace(" (1.3B)", "") for label in rows]
    for label, row in rows.items():
        cells = ours[label.replace(" (1.3B)", "")].cells
        seen = list(row["values"]) if row["verified"] else row["verified_cells"]
        for key, value in row["values"].items():
            assert cells[key].value == value
            assert cells[key].verified == (key in seen)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_cell_for_every_column(name):
    table = load_figures().tables[name]
    for row in table.rows:
        assert sorted(row.cells) == sorted(column.key for column in table.columns)


def test_our_variants_stand_beside_their_counterparts():
    rows = load_figures().tables["table2"].rows
    assert {row.variant: row.label for row in rows if row.variant} == {
        "phi-1_5": "phi-1.5",
        "phi-1_5-web": "phi-1.5-web",
        "phi-1_5-web-only": "phi-1.5-web-only",
    }


@pytest.mark.parametrize(
    ("value", "verified", "unit", "shown"),
    [
        (0.734, True, "fraction", "0.734"),
        (0.682, False, "fraction", "0.682?"),
        (34.1, True, "percent", "34.1"),
        ("<3", False, "percent", "<3?"),
        (None, False, "fraction", "-"),
        (150_000_000_000, True, "mixed", "150B"),
    ],
)
def test_a_figure_not_seen_in_text_carries_a_question_mark(value, verified, unit, shown):
    assert paper_text({"value": value, "verified": verified}, unit) == shown
