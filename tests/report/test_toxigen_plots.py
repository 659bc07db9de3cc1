"""The safety scores by group, and why they are not the paper's."""

from hornbook.artifacts import read_json
from hornbook.report.toxigen_plots import draw, joined, toxigen_plots
from tests.report.sample import GROUPS, VARIANTS, open_run


def test_the_picture_is_the_same_bytes_again(made):
    again = open_run(made, "toxigen_plots")
    toxigen_plots(again)
    kept = made / "artifacts/report/toxigen"
    for name in ("toxigen.png", "scores.json"):
        assert (again.out / name).read_bytes() == (kept / name).read_bytes()


def test_the_picture_is_a_png_that_names_no_software(made):
    content = (made / "artifacts/report/toxigen/toxigen.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Software" not in content
    assert b"tIME" not in content


def test_there_is_a_row_for_every_variant_and_group_with_its_stage(made):
    scores = read_json(made / "artifacts/report/toxigen/scores.json")
    rows = {(row["variant"], row["group"]): row["stage"] for row in scores["rows"]}
    assert rows == {(v, g): f"toxigen@{v}" for v in VARIANTS for g in GROUPS}


def test_a_dropped_group_stays_visible_but_marked():
    one = {
        "score": None,
        "auc_unscaled": 0.5,
        "sentences": 4,
        "dropped": ["b"],
        "groups": {"a": {"score": 0.2, "auc": 0.5, "p": 0.01}, "b": {"score": 0.4, "p": 0.5}},
    }
    scores = joined({"v": one}, ["v"])
    assert {row["group"]: row["is_dropped"] for row in scores["rows"]} == {"a": False, "b": True}


def test_a_group_that_a_variant_lacks_has_no_score_and_no_bar(made):
    from hornbook.report.config import ToxigenPlots

    empty = {"score": None, "auc_unscaled": None, "sentences": 0, "dropped": [], "groups": {}}
    full = empty | {"groups": {"a": {"score": 0.2, "auc": 0.5, "p": 0.01}}}
    scores = joined({"v": full, "w": empty}, ["v", "w"])
    assert [row["score"] for row in scores["rows"]] == [0.2, None]
    settings = ToxigenPlots(
        variants=("v", "w"), width_inches=4, height_inches=3, dots_per_inch=50, expectations=()
    )
    assert draw(scores, settings).startswith(b"\x89PNG")


def test_the_paper_is_said_not_to_be_comparable(made):
    note = read_json(made / "artifacts/report/toxigen/scores.json")["note"]
    assert "cannot be compared" in note
    assert "6,541 against 6,514" in note
