"""Windows get the domain of most of their tokens, whatever pieces the index comes in."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from hornbook.train.domains import _Stream


@pytest.mark.parametrize("context", [1, 5, 16, 400])
def test_codes_are_those_of_a_count_by_hand_over_the_ends_of_shards(context):
    draw = np.random.default_rng(context)
    lengths, codes = draw.integers(2, 60, 90), draw.integers(0, 3, 90)
    stream, place = _Stream(context), 0
    for count in (0, 1, 30, 2, 0, 57):  # documents of one piece of the index
        chosen = slice(place, place + count)
        stream.add(pa.array(lengths[chosen]), pa.array(codes[chosen]))
        place += count
    owners = np.repeat(codes, lengths)
    windows = [owners[n : n + context] for n in range(0, len(owners), context)]
    windows = windows[: (len(owners) - 1) // context]
    expected = [
        min(Counter(one.tolist()).items(), key=lambda item: (-item[1], item[0]))[0]
        for one in windows
    ]
    assert stream.codes().tolist() == expected
