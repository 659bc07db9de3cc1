"""The gate in a process of its own says what the function says."""

import os
import signal

import pandas as pd
import pytest

from hornbook.config import Expectation
from hornbook.errors import ConfigError, StageError
from hornbook.expectations import judge
from hornbook.gate import Gate

FRAME = pd.DataFrame({"id": ["a", "b", "b"], "words": [3, 0, 9]})
UNIQUE = Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "id"})
WORDS = Expectation(
    type="expect_column_values_to_be_between", kwargs={"column": "words", "min_value": 1}
)


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.close()


def test_it_answers_as_the_function_more_than_once_and_passes_errors_on(gate):
    for suite in ((UNIQUE,), (WORDS, UNIQUE)):
        assert gate.judge("documents", FRAME, suite, "id") == judge("documents", FRAME, suite, "id")
    wrong = Expectation(type="expect_the_best", kwargs={})
    with pytest.raises(ConfigError, match="expect_the_best"):
        gate.judge("documents", FRAME, (wrong,), "id")
    assert not gate.judge("documents", FRAME, (UNIQUE,), "id")["success"]


def test_a_process_that_died_is_an_error_with_a_remedy(gate):
    os.kill(gate.pid, signal.SIGKILL)
    with pytest.raises(StageError, match=r"'documents' died.*3 rows"):
        gate.judge("documents", FRAME, (UNIQUE,), "id")
