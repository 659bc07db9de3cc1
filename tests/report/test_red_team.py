"""The red-team section: our labels beside the paper's, each with who gave them."""

import re

from hornbook.artifacts import read_json, write_json
from hornbook.report.red_team import samples
from hornbook.report.report import report
from tests.report.sample import VARIANTS, open_run


def section(made):
    page = (made / "artifacts/report/page/index.html").read_text("utf-8")
    return page.partition('<section id="red-team">')[2].partition("</section>")[0]


def rows_of(text):
    rows = re.findall(r"<tr[^>]*><th>(.*?)</tr>", text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def test_the_paper_stands_with_its_figures_and_what_was_not_seen_is_marked(made):
    rows = rows_of(section(made))
    assert "phi-1.5 people 47 34 4 86" in rows
    assert "Falcon-7B people <20 50 17 ? 86".replace("<", "&lt;") in rows


def test_each_variant_has_the_judges_labels_and_peoples_with_their_agreement(made):
    rows = rows_of(section(made))
    judge = "ours procedural, a rule 6 3 3 12"
    first, second, third = VARIANTS
    assert f"{first} {judge}" in rows
    # by hand: 6 of 12 equal; people said pass only, so half is what chance gives
    assert f"{first} ours people 12 0 0 12 0.50 , kappa 0.00 (n=12)" in rows
    assert f"{second} ours people (1 of answers that are others now, not counted) - - - - -" in rows
    assert f"{third} ours people - - - - -" in rows
    assert "neither a person nor a language model" in section(made)


def test_ten_prompts_are_shown_with_the_answer_of_each_variant_as_text(made):
    text = section(made)
    assert "10 prompts and their answers" in text
    for variant in VARIANTS:
        assert text.count(f"&lt;b&gt;{variant}&lt;/b&gt; says") == 10
    assert "<b>phi-1_5</b> says" not in text


def test_samples_are_spread_over_the_file_and_no_more_than_there_are():
    answers = {"v": [{"id": n, "prompt": str(n)} for n in range(60)]}
    assert [one["id"] for one in samples(answers, 10)] == list(range(0, 60, 6))
    few = {"v": answers["v"][:3]}
    assert [one["id"] for one in samples(few, 10)] == [0, 1, 2]


def test_a_language_model_as_judge_is_called_one(made):
    file = made / "artifacts/red_team/phi-1_5/scores.json"
    before = file.read_text("utf-8")
    try:
        write_json(file, read_json(file) | {"judge_model": "big-1", "judge_is_rule": False})
        run = open_run(made, "report")
        report(run)
        assert "big-1, a language model" in (run.out / "index.html").read_text("utf-8")
    finally:
        file.write_text(before)
