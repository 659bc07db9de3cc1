"""Every item that is evaluated has its texts, under the name that its score is kept under."""

import json

import pytest

from hornbook.errors import InputError
from hornbook.evaluate.items import BENCHMARKS, load
from hornbook.evaluate.texts import READERS, SAME_ITEMS, benchmark_items, item_keys


@pytest.fixture(scope="module")
def items(shared):
    """By benchmark; those of an exam also by the name of its task."""
    found = {}
    for item in benchmark_items(shared):
        for name in {item.benchmark, item.item_id.partition("/")[0]}:
            found.setdefault(name, []).append(item)
    return found


def test_every_benchmark_that_evaluation_knows_is_read():
    assert set(READERS) | set(SAME_ITEMS) == set(BENCHMARKS)
    assert set(SAME_ITEMS.values()) <= set(READERS)


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - set(SAME_ITEMS)))
def test_every_item_of_a_published_benchmark_has_texts(items, shared, name):
    splits = load(name, shared)
    assert len(items[name]) == len(splits.get("test") or splits["validation"])
    assert len({item.item_id for item in items[name]}) == len(items[name])
    assert all(item.question.strip() for item in items[name])


SAID = {
    "arc_challenge": ("question", "choices"),
    "gsm8k": ("question", "further"),
    "hellaswag": ("question", "choices"),
    "humaneval": ("question", "code", "program"),
    "mbpp": ("question", "code", "program"),
    "mmlu": ("question", "choices"),
    "piqa": ("question", "choices"),
    "siqa": ("question", "choices", "further"),
    "truthfulqa": ("question", "choices"),
    "winogrande": ("question", "further"),
    "agieval_lsat_ar": ("question", "choices", "further"),
    "agieval_math": ("question", "further"),
}


@pytest.mark.parametrize("name", sorted(SAID))
def test_answers_solutions_and_programs_are_there(items, name):
    for part in SAID[name]:
        share = sum(bool(getattr(one, part)) for one in items[name]) / len(items[name])
        assert share > 0.99, part


def test_passages_that_are_only_read_are_no_texts(items, shared):
    passage = load("squad", shared)["test"][0]["context"]
    assert not any(passage in (*one.further, one.question) for one in items["squad"])


def test_both_forms_of_a_solution_and_all_fillings_of_a_gap_are_texts(items):
    first = items["gsm8k"][0]
    assert "<<16-3-4=9>>9 duck eggs" in first.further[0]
    assert "3 - 4 = 9 duck eggs" in first.further[1]
    assert [one.split("so ")[1][:12] for one in items["winogrande"][0].further] == [
        "Sarah always", "Maria always"
    ]  # fmt: skip
    assert items["humaneval"][0].question.startswith("Check if in given list of numbers")


@pytest.mark.parametrize("name", ["siqa", "openbookqa"])  # renamed; with ids of its own
def test_items_are_named_as_the_evaluation_names_them(shared, name):
    from pydantic import TypeAdapter

    from hornbook.evaluate.config import Evaluate
    from hornbook.evaluate.harness import build
    from hornbook.train.resolve import resolve
    from tests.made_run import conf

    settings = TypeAdapter(Evaluate).validate_python(
        resolve(conf("evaluate", "plumbing"), context_tokens=128, name="evaluate")
    )
    splits = load(name, shared)
    names = [
        f"{task}/{doc.get('id', number)}"
        for task, one in build(name, settings, shared).items()
        for number, doc in enumerate(one.eval_docs)
    ]
    assert names == item_keys(name, splits.get("test") or splits["validation"])


def test_subjects_are_numbered_each_for_itself():
    rows = [{"subject": "law"}, {"subject": "art"}, {"subject": "law"}]
    assert item_keys("mmlu", rows) == ["mmlu_law/0", "mmlu_art/0", "mmlu_law/1"]
    assert item_keys("humaneval", [{"id": "HumanEval/3"}]) == ["humaneval/HumanEval/3"]


def test_our_own_suites_are_read(tmp_path):
    rows = {
        "micro_mind": {"id": "m-0", "context": "Lily looks in the", "choices": [" bag."],
                       "answer": 0},
        "micro_cloze": {"id": "c-0", "prompt": "The capital of France is", "answer": "Paris"},
        "micro_functions": {"id": "f-0", "prompt": 'def add(x):\n    """Return x plus 2."""',
                            "canonical": "\n    return x + 2", "tests": []},
    }  # fmt: skip
    (tmp_path / "micro").mkdir()
    for name, row in rows.items():
        (tmp_path / "micro" / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    cloze, functions, mind = benchmark_items(tmp_path)
    assert (cloze.item_id, cloze.choices) == ("micro_cloze/c-0", ("Paris",))
    assert (functions.question, functions.program[-12:]) == ("Return x plus 2.", "return x + 2")
    assert (mind.question, mind.choices) == ("Lily looks in the", (" bag.",))


def test_a_damaged_file_is_an_error_not_an_absence(tmp_path):
    (tmp_path / "lambada").mkdir()
    (tmp_path / "lambada" / "derived_lambada_openai_test.jsonl").write_text('{"text": "a"')
    with pytest.raises(InputError, match="is not JSON lines"):
        list(benchmark_items(tmp_path))
