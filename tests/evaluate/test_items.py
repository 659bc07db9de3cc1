"""Benchmarks as they are published, in the schema that lm-eval's tasks read."""

import json

import pytest

from hornbook.errors import InputError
from hornbook.evaluate.items import BENCHMARKS, load

COUNTS = {
    "agieval": 3852, "truthfulqa": 817,
    "arc_challenge": 1172, "arc_easy": 2376, "boolq": 3270, "gsm8k": 1319, "gsm8k_code": 1319,
    "hellaswag": 10042, "humaneval": 164, "lambada": 5153, "mbpp": 427, "mmlu": 14042,
    "openbookqa": 500, "piqa": 1838, "siqa": 1954, "squad": 1190, "winogrande": 1267,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_published_benchmark_has_all_its_items(shared, name):
    splits = load(name, shared)
    assert len(splits.get("test") or splits["validation"]) == COUNTS[name]


def test_a_missing_file_is_named_with_the_setting(tmp_path):
    with pytest.raises(InputError, match=r"piqa/valid\.jsonl.*data\.benchmarks"):
        load("piqa", tmp_path)
    with pytest.raises(InputError, match="no benchmark 'nothing'"):
        load("nothing", tmp_path)


def test_a_line_separator_inside_a_string_does_not_break_a_line(tmp_path):
    (tmp_path / "lambada").mkdir()
    row = json.dumps({"text": "one\u2028two"}, ensure_ascii=False)
    (tmp_path / "lambada" / "derived_lambada_openai_test.jsonl").write_text(row + "\n")
    assert load("lambada", tmp_path)["test"][0]["text"] == "one\u2028two"
