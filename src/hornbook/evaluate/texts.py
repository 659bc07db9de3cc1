"""What a benchmark item says: the texts that training data must not hold.

A passage that was taken from elsewhere and only read by the question (SQuAD, BoolQ) is no text of
the item: it stands in the encyclopedia it is from, and knowing it is not knowing the question.
Source: GPT-3, appendix C, which found such passages behind most of its overlap.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hornbook.evaluate.items import BENCHMARKS, Row, load, read_lines

# benchmarks whose items are those of another one
SAME_ITEMS = {"gsm8k_code": "gsm8k"}
OF_SUBJECTS = ("agieval", "mmlu")  # a task of lm-eval's for each value of `subject`
HARNESS_NAMES = {"siqa": "social_iqa", "lambada": "lambada_openai"}
_CALCULATION = re.compile(r"<<.*?>>|####")


@dataclass(frozen=True)
class ItemTexts:
    """The texts of an item; `item_id` is the name under which its score is kept."""

    benchmark: str
    item_id: str
    question: str
    choices: tuple[str, ...] = ()  # answers, right and wrong; each may follow the question
    further: tuple[str, ...] = ()  # solutions and docstrings: texts of their own
    code: tuple[str, ...] = ()  # prompts, solutions and tests that are code
    program: str = ""  # Python source of the canonical solution


@dataclass(frozen=True)
class _Said:
    """What `ItemTexts` holds besides the name."""

    question: str
    choices: Sequence[str] = ()
    further: Sequence[str] = ()
    code: Sequence[str] = ()
    program: str = ""


Read = Callable[[Row], _Said]


def _arc(row: Row) -> _Said:
    stem = row.get("question", row.get("question_stem"))
    return _Said(str(stem), row["choices"]["text"])


def _siqa(row: Row) -> _Said:
    answers = [row[f"answer{letter}"] for letter in "ABC"]
    return _Said(f"{row['context']} {row['question']}", answers, (row["context"],))


def _winogrande(row: Row) -> _Said:
    sentence = row["sentence"]
    filled = [sentence.replace("_", row[f"option{n}"]) for n in (1, 2)]
    return _Said(sentence, (), filled)


def _gsm8k(row: Row) -> _Said:
    # the calculator's marks are not part of the solution that people read; both forms are shared
    forms = (row["answer"], _CALCULATION.sub("", row["answer"]))
    return _Said(row["question"], (), forms)


def _humaneval(row: Row) -> _Said:
    program = row["prompt"] + row["canonical"]
    question, *further = docstrings(program) or [row["prompt"]]
    return _Said(question, (), further, (row["prompt"], row["canonical"]), program)


def _mbpp(row: Row) -> _Said:
    asked = row["prompt"].strip('"\n').partition("\n")[0]
    return _Said(asked, (), (), (row["canonical"], "\n".join(row["tests"])), row["canonical"])


def _agieval(row: Row) -> _Said:
    """Passages of exams are written or cut for them, so they are part of the item."""
    further = [row[name] for name in ("passage", "solution", "answer") if row[name]]
    return _Said(row["question"], row["choices"], further)


def _truthfulqa(row: Row) -> _Said:
    choices = [*row["mc1_targets"]["choices"], *row["mc2_targets"]["choices"]]
    return _Said(row["question"], tuple(dict.fromkeys(choices)))


def _micro(row: Row) -> _Said:
    asked = str(row.get("context", row.get("prompt")))
    if "canonical" in row:
        program = asked + row["canonical"]
        question = (*docstrings(program), asked.partition("\n")[0])[0]
        return _Said(question.strip('"'), (), (), (asked, row["canonical"]), program)
    answer = row.get("answer")
    return _Said(asked, row.get("choices", [answer] if isinstance(answer, str) else []))


READERS: Mapping[str, Read] = {
    "agieval": _agieval,
    "arc_challenge": _arc,
    "arc_easy": _arc,
    "boolq": lambda row: _Said(row["question"]),
    "gsm8k": _gsm8k,
    "hellaswag": lambda row: _Said(
        row.get("ctx") or f"{row['ctx_a']} {row['ctx_b']}", row["endings"]),
    "humaneval": _humaneval,
    "lambada": lambda row: _Said(row["text"]),
    "mbpp": _mbpp,
    "mmlu": lambda row: _Said(row["question"], row["choices"]),
    "openbookqa": _arc,
    "piqa": lambda row: _Said(row["goal"], (row["sol1"], row["sol2"])),
    "siqa": _siqa,
    "squad": lambda row: _Said(row["question"]),
    "truthfulqa": _truthfulqa,
    "winogrande": _winogrande,
}  # fmt: skip


def docstrings(source: str) -> list[str]:
    """The docstrings of the functions of a program, none where it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found = [ast.get_docstring(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return [text for text in found if text]


def task_of(name: str, row: Row) -> str:
    """lm-eval's name for the task that an item is of; benchmarks of many subjects have several."""
    return f"{name}_{row['subject']}" if name in OF_SUBJECTS else HARNESS_NAMES.get(name, name)


def item_keys(name: str, rows: Sequence[Row]) -> list[str]:
    """The name of each item as evaluations keep it: task, then the item's id or number in it."""
    seen: dict[str, int] = {}
    keys: list[str] = []
    for row in rows:
        task = task_of(name, row)
        number = seen[task] = seen.get(task, -1) + 1
        keys.append(f"{task}/{row.get('id', number)}")
    return keys


def benchmark_items(folder: Path) -> Iterator[ItemTexts]:
    """Every item of every benchmark that is there.

    Raises:
        InputError: A benchmark is there but damaged.
    """
    for name in sorted(set(BENCHMARKS) - set(SAME_ITEMS)):
        if not (folder / name.partition("_")[0]).is_dir():
            continue  # absent; one that is there but damaged is an error
        splits = load(name, folder)
        yield from _items(name, splits.get("test") or splits["validation"], READERS[name])
    for file in sorted(folder.glob("micro/*.jsonl")):
        yield from _items(file.stem, read_lines(file), _micro)


def _items(name: str, rows: Sequence[Row], read: Read) -> Iterator[ItemTexts]:
    for key, row in zip(item_keys(name, rows), rows, strict=True):
        said = read(row)
        yield ItemTexts(
            name, key, said.question, tuple(said.choices), tuple(said.further),
            tuple(said.code), said.program,
        )  # fmt: skip
