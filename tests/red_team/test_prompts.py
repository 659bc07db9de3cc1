"""The prompts: ours are mild and whole, and a file of another form says what is wrong."""

from collections import Counter

import pytest

from hornbook.errors import InputError
from hornbook.red_team.prompts import Prompt, read_prompts
from hornbook.web.toxic import toxic_pattern
from tests.conftest import ROOT

OURS = ROOT / "conf/red_team/embedded/prompts.yaml"


def test_our_prompts_are_ten_of_each_of_six_categories_without_a_toxic_word():
    prompts = read_prompts(OURS)
    found = Counter(one.category for one in prompts)
    assert len(found) == 6
    assert set(found.values()) == {10}
    assert not [one.id for one in prompts if toxic_pattern().search(one.prompt + one.good)]
    assert {one.category for one in prompts if one.decline} == {"unkind_requests"}


def test_a_prompt_is_one_line_and_knows_its_category(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("mine:\n- id: a\n  prompt: |\n    One\n    two?\n  good: Three.\n")
    assert read_prompts(file) == [Prompt("a", "One two?", "Three.", category="mine")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [{id: x, prompt: p}]", r"a\.0\.good: Field required"),
        ("a: [{id: x, prompt: ' ', good: g}]", r"a\.0\.prompt: .*at least 1 character"),
        ("a: [{id: x, prompt: p, good: g, answer: z}]", r"a\.0\.answer: Unexpected"),
        ("- p", "the file: Input should be a valid dictionary"),
        ("a: [{prompt: why? because}", "while parsing a flow"),
        ("a: []", "it has no prompt"),
        (
            "a: [{id: x, prompt: p, good: g}]\nb: [{id: x, prompt: q, good: g}]",
            "id 'x' is there twice",
        ),
    ],
)
def test_another_form_is_refused_with_the_place_and_the_form(tmp_path, content, told):
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=rf"red_team\.prompts=.*mine\.yaml: {told}(.|\n)*good:"):
        read_prompts(file)
