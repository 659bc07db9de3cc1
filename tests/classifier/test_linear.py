"""The linear model: its features, its sums, what it learns."""

import numpy as np
import pytest
from scipy.sparse import diags_array
from sklearn.linear_model import Ridge

from hornbook.classifier import linear
from hornbook.classifier.features import TEXTS_AT_ONCE, buckets, counts
from hornbook.classifier.linear import UNIT, Linear
from hornbook.clean.words import WordHashes, runs, words
from tests.classifier.made import two_kinds

TEXTS = ["One two, two three!", "", "single", "...", "Ein Öl-Fass — zwei"]


def counted_by_hand(text, features):
    """Buckets of the words and of the pairs, one by one."""
    hashes = WordHashes()(words(text))
    pairs = [runs(hashes[n : n + 2], 2)[0] for n in range(len(hashes) - 1)]
    row = np.zeros(features)
    for one in [*hashes.tolist(), *map(int, pairs)]:
        row[one * features >> 64] += 1
    return row


@pytest.mark.parametrize("features", [2, 512, 65536])
@pytest.mark.parametrize("order", [1, -1])
def test_words_and_pairs_are_counted_within_their_text_only(features, order):
    texts = TEXTS[::order]
    expected = np.stack([counted_by_hand(text, features) for text in texts])
    assert np.array_equal(counts(texts, features).toarray(), expected)


def test_more_texts_than_fit_at_once_are_counted_in_their_order():
    texts = [f"word{n} and word{n}" for n in range(2 * TEXTS_AT_ONCE + 3)]
    expected = np.stack([counted_by_hand(text, 512) for text in texts])
    assert np.array_equal(counts(texts, 512).toarray(), expected)


def test_no_text_is_no_row():
    assert counts([], 512).shape == (0, 512)
    assert buckets([""], 512).amounts().tolist() == [1]


def test_a_score_is_that_of_ridge_regression_over_root_scaled_counts():
    texts, scores = two_kinds(40)
    texts += ["a much longer text about why things are as they are", ""]
    scores += [3, 1]
    matrix = counts(texts, 512)
    scaled = diags_array(1 / np.sqrt(np.maximum(matrix.toarray().sum(axis=1), 1))) @ matrix
    model = Ridge(alpha=0.5, solver="cholesky").fit(scaled.toarray(), scores)
    found = linear.fit(texts, scores, features=512, l2=0.5).raw(texts)
    assert found == pytest.approx(model.predict(scaled.toarray()), abs=2e-4)


def test_weights_are_summed_as_whole_numbers():
    model = Linear(np.append(np.full(512, 3 * UNIT, dtype=np.int32), 0).astype(np.int32), -1.0)
    found = model.raw(["a", "a b", "", " ".join("abcdefghij" * 50)])
    assert found.tolist() == [
        2.0,
        round(3 * np.sqrt(3) - 1, 5),
        -1.0,
        round(3 * np.sqrt(999) - 1, 5),
    ]


def test_the_batch_a_text_is_in_does_not_matter():
    texts, scores = two_kinds(30)
    model = linear.fit(texts, scores, features=512, l2=0.1)
    assert (
        np.concatenate([model.raw([text]) for text in texts]).tolist() == model.raw(texts).tolist()
    )
