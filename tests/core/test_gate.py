"""The gate in a process of its own says what the function says."""

from multiprocessing import active_children

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
    for process in active_children():
        process.kill()
    with pytest.raises(StageError, match=r"'documents' died.*3 rows"):
        gate.judge("documents", FRAME, (UNIQUE,), "id")


BROKEN = """
class Odd(Exception):
    def __init__(self, one, other): super().__init__(one)
raise Odd("no such release", 1)
"""


def test_a_library_that_does_not_load_is_told_with_its_traceback(tmp_path, monkeypatch, request):
    (tmp_path / "great_expectations.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)  # this process has it already, the gate's has not
    gate = request.getfixturevalue("gate")
    for _ in range(2):
        with pytest.raises(StageError, match=r"failed:\nTraceback(.|\n)*Odd: no such release"):
            gate.judge("documents", FRAME, (UNIQUE,), "id")
