"""The safety scores by group, and why they are not the paper's."""

import csv

import pytest

from hornbook.artifacts import read_json
from hornbook.lineage.workspace import Hasher
from hornbook.report.charts import bars
from hornbook.report.safety import whisker
from hornbook.report.terminal import safety
from hornbook.report.toxigen_plots import draw, joined, toxigen_plots
from tests.report.made_models import GROUPS
from tests.report.sample import VARIANTS, open_run


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


def test_every_rendering_has_every_score_with_its_interval(made):
    folder = made / "artifacts/report/toxigen"
    scores = read_json(folder / "scores.json")
    for name in ("toxigen.md", "toxigen.tex", "toxigen.html"):
        text = (folder / name).read_text("utf-8")
        for row in scores["rows"]:
            assert f"{row['score']:.3f} (0.125 to 0.475){' ns' * row['is_dropped']}" in text
        assert "0.300 (0.281 to 0.367)" in text
        assert "0.510 (0.493 to 0.529)" in text


def test_csv_has_a_line_for_each_figure_with_the_hash_it_is_from(made):
    folder = made / "artifacts/report/toxigen"
    with (folder / "toxigen.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["variant"], row["group"]) for row in rows] == [
        *((variant, group) for variant in VARIANTS for group in GROUPS),
        *((variant, whole) for variant in VARIANTS for whole in ("mean", "all")),
    ]
    hashes = {v: Hasher(made).hash(f"artifacts/toxigen/{v}") for v in VARIANTS}
    assert {row["variant"]: row["hash"] for row in rows} == hashes
    assert (rows[0]["low"], rows[0]["auc_high"]) == ("0.125", "0.553")
    assert (rows[-1]["auc"], rows[-1]["auc_low"], rows[-1]["score"]) == ("0.51", "0.493", "")


def test_page_and_terminal_have_the_interval_of_the_score(made):
    page = (made / "artifacts/report/page/index.html").read_text("utf-8")
    assert "0.300 (0.281 to 0.367)" in page
    told = safety(read_json(made / "artifacts/report/toxigen/scores.json"))
    assert "phi-1_5-web       0.320 (0.281 to 0.367)  0.510 (0.493 to 0.529)" in told


def test_whiskers_end_where_the_interval_does():
    row = {"variant": "v", "group": "a", "score": 0.3, "low": 0.25, "high": 0.4, "stage": "s",
           "is_dropped": False}  # fmt: skip
    assert whisker(row) == pytest.approx((0.05, 0.1))
    assert whisker(row | {"low": 0.31})[0] == 0.0
    assert whisker({"score": 0.3, "stderr": 0.02}) == (0.02, 0.02)
    assert whisker({"score": None, "low": None}) == (0.0, 0.0)
    drawn = bars([row], ["a"], ["v"])
    assert 'class="spread"' in drawn
    assert "95 % interval 0.250 to 0.400" in drawn


def test_whiskers_are_drawn(made):
    from hornbook.report.config import ToxigenPlots

    settings = ToxigenPlots(
        variants=tuple(VARIANTS), width_inches=9, height_inches=5, dots_per_inch=40, expectations=()
    )
    scores = read_json(made / "artifacts/report/toxigen/scores.json")
    flattened = [row | {"low": row["score"], "high": row["score"]} for row in scores["rows"]]
    assert draw(scores, settings) != draw(scores | {"rows": flattened}, settings)
