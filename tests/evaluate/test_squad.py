"""SQuAD v1.1's own scoring, on cases worked out by hand from the text of its script."""

import pytest

from hornbook.evaluate.squad import exact_match, f1, process_results

CASES = [
    # said, right, exact match, f1
    ("Denver Broncos", "Denver Broncos", 1.0, 1.0),
    ("the denver  Broncos.", "Denver Broncos", 1.0, 1.0),
    ("Broncos", "Denver Broncos", 0.0, 2 / 3),  # precision 1, recall 1/2
    ("the team of Denver", "Denver Broncos", 0.0, 0.4),  # team of denver: 1/3 and 1/2
    ("U.S.", "US", 1.0, 1.0),  # punctuation is taken away, nothing put in its place
    ("twenty-one", "twenty one", 0.0, 0.0),
    ("a theatre", "theatre", 1.0, 1.0),  # an article is a whole word
    ("to be or not to be", "to be", 0.0, 0.5),  # to and be count once: 2/6 and 2/2
    ("", "Denver", 0.0, 0.0),
]


@pytest.mark.parametrize(("said", "right", "exact", "overlap"), CASES)
def test_scores_are_those_of_the_script(said, right, exact, overlap):
    assert exact_match(said, right) == exact
    assert f1(said, right) == pytest.approx(overlap)


def test_the_best_of_the_right_answers_counts():
    doc = {"answers": ["Denver Broncos", "the Broncos", "Carolina"]}
    assert process_results(doc, ["Broncos"]) == {"exact_match": 1.0, "f1": 1.0}
    found = process_results(doc, ["Denver"])
    assert found == {"exact_match": 0.0, "f1": pytest.approx(2 / 3)}
