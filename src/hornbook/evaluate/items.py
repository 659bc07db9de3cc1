"""Items of every benchmark, from files as they are published, in the schema lm-eval expects.

A benchmark is found below the benchmarks folder by the name of its own folder; `.gz` is read too.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hornbook.errors import InputError

Row = dict[str, Any]
Splits = dict[str, list[Row]]


def read_text(file: Path) -> str:
    """The text of a file, unpacked where it ends in .gz."""
    raw = file.read_bytes()
    return (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("utf-8")


def read_lines(file: Path) -> list[Row]:
    """The rows of a JSON lines file.

    Raises:
        InputError: It is damaged.
    """
    try:
        # not splitlines: JSON strings may hold U+2028, which it takes for the end of a line
        return [json.loads(line) for line in read_text(file).split("\n") if line.strip()]
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file} is not JSON lines ({error}); fetch it again") from error


def read_json(file: Path) -> Any:  # noqa: ANN401 - any JSON
    """The value of a JSON file.

    Raises:
        InputError: It is damaged.
    """
    try:
        return json.loads(read_text(file))
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file} is not JSON ({error}); fetch it again") from error


def _find(folder: Path, *names: str) -> Path:
    """The first of `names` below `folder`, compressed or not.

    Raises:
        InputError: None is there.
    """
    for name in names:
        for found in (folder / name, folder / f"{name}.gz"):
            if found.exists():
                return found
    raise InputError(
        f"{folder} has no {' or '.join(names)} (also .gz); data.benchmarks names the folder, and "
        f"evaluate.suites the benchmarks that are asked for"
    )


def _arc(folder: Path, level: str) -> Splits:
    rows = read_lines(_find(folder, f"arc/derived_{level}_test.jsonl", f"arc/{level}-Test.jsonl"))
    return {"test": rows}


def _piqa(folder: Path) -> Splits:
    rows = read_lines(_find(folder, "piqa/valid.jsonl"))
    labels = read_text(_find(folder, "piqa/valid-labels.lst")).split()
    return {"validation": [r | {"label": int(x)} for r, x in zip(rows, labels, strict=True)]}


def _hellaswag(folder: Path) -> Splits:
    rows = read_lines(
        _find(folder, "hellaswag/derived_hellaswag_val.jsonl", "hellaswag/hellaswag_val.jsonl")
    )
    split = [{"ctx_a": row["ctx"], "ctx_b": ""} | row for row in rows]
    return {"validation": [row | {"label": str(row["label"])} for row in split]}


def _winogrande(folder: Path) -> Splits:
    names = ("winogrande/derived_winogrande_validation.jsonl", "winogrande/dev.jsonl")
    return {"validation": read_lines(_find(folder, *names))}


def _boolq(folder: Path) -> Splits:
    rows = read_lines(_find(folder, "boolq/derived_boolq_dev.jsonl", "boolq/dev.jsonl"))
    answers = [row.get("label", row.get("answer")) for row in rows]
    labels = [int(answer in {True, "yes"}) for answer in answers]
    return {"validation": [r | {"label": x} for r, x in zip(rows, labels, strict=True)]}


def _siqa(folder: Path) -> Splits:
    return {
        "validation": read_lines(
            _find(folder, "siqa/derived_socialiqa_dev.jsonl", "siqa/dev.jsonl")
        )
    }


def _openbookqa(folder: Path) -> Splits:
    return {
        "test": read_lines(_find(folder, "openbookqa/derived_test.jsonl", "openbookqa/test.jsonl"))
    }


def _mmlu(folder: Path) -> Splits:
    read = {"dev": "mmlu/derived_dev.jsonl", "test": "mmlu/derived_test.jsonl"}
    return {split: read_lines(_find(folder, name)) for split, name in read.items()}


def _gsm8k(folder: Path) -> Splits:
    read = {"train": "gsm8k/train.jsonl", "test": "gsm8k/test.jsonl"}
    return {split: read_lines(_find(folder, name)) for split, name in read.items()}


def _lambada(folder: Path) -> Splits:
    return {"test": read_lines(_find(folder, "lambada/derived_lambada_openai_test.jsonl"))}


def _squad(folder: Path) -> Splits:
    file = _find(folder, "squad/dev-v1.1.json", "squad/xquad.en.json")
    rows = [
        {
            "id": asked["id"],
            "context": paragraph["context"],
            "question": asked["question"],
            "answers": [answer["text"] for answer in asked["answers"]],
        }
        for article in read_json(file)["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]
    return {"test": rows}


def _truthfulqa(folder: Path) -> Splits:
    """Each item with the choices of both scorings; of the first one its first choice is right."""
    file = _find(folder, "truthfulqa/v1_mc_task.json", "truthfulqa/mc_task.json")
    rows = read_json(file)
    return {"validation": [
        {"question": row["question"],
         **{name: {"choices": list(row[name]), "labels": list(row[name].values())}
            for name in ("mc1_targets", "mc2_targets")}}
        for row in rows
    ]}  # fmt: skip


# the English exams, as lm-eval's group agieval_en has them; none of `math` has choices
AGIEVAL = (
    "aqua-rat", "gaokao-english", "logiqa-en", "lsat-ar", "lsat-lr", "lsat-rc", "math",
    "sat-en-without-passage", "sat-en", "sat-math",
)  # fmt: skip
_LETTERS = "ABCDEFG"


def _agieval(folder: Path) -> Splits:
    """Items of all exams with the prompts of the benchmark's own zero-shot setting.

    lm-eval's tasks read these prompts as a column. Source: arXiv:2304.06364 and the data sets
    `hails/agieval-*` that the tasks name.
    """
    rows: list[Row] = []
    for exam in AGIEVAL:
        file = _find(folder, f"agieval/v1_{exam}.jsonl", f"agieval/{exam}.jsonl")
        rows += [_exam_item(exam.replace("-", "_"), row) for row in read_lines(file)]
    _join_twice_asked(rows)
    return {"test": rows}


def _join_twice_asked(rows: list[Row]) -> None:
    """Put the questions that one exam asks without their passage into the clusters of sat_en.

    Both exams have the same questions, so an answer to one says what the other's will be.
    """
    asked = {(row["question"], *row["choices"]): row["passage"]
             for row in rows if row["subject"] == "sat_en"}  # fmt: skip
    for row in rows:
        passage = asked.get((row["question"], *row["choices"]))
        if row["subject"] == "sat_en_without_passage" and passage:
            row["cluster"] = passage_name(passage)


def passage_name(passage: str) -> str:
    """The cluster of all items that are about a passage."""
    return f"passage-{hashlib.sha256(passage.encode()).hexdigest()[:16]}"


def _exam_item(exam: str, row: Row) -> Row:
    options = row.get("options") or []
    passage, question = row.get("passage") or "", row["question"]
    solution = (row.get("other") or {}).get("solution")
    kept: Row = {
        "subject": exam,
        "passage": passage,
        "question": question,
        "choices": options,
        "answer": row.get("answer"),
        "solution": solution if isinstance(solution, str) else None,
    }
    if not options:
        return kept | {"query": f"{passage}Q: {question}\nA: The answer is"}
    last = _LETTERS[len(options) - 1]
    asked = f"{passage}Q: {question} Answer Choices: {' '.join(options)}"
    query = f"{asked}\nA: Among A through {last}, the answer is"
    return kept | {"query": query, "gold": [_LETTERS.index(row["label"])]}


def _humaneval(folder: Path) -> Splits:
    rows = read_lines(_find(folder, "humaneval/HumanEval.jsonl"))
    return {"test": [
        {"id": r["task_id"], "prompt": r["prompt"], "canonical": r["canonical_solution"],
         "tests": [r["test"], f"check({r['entry_point']})"], "entry_point": r["entry_point"]}
        for r in rows
    ]}  # fmt: skip


def _mbpp(folder: Path) -> Splits:
    rows = read_json(_find(folder, "mbpp/sanitized-mbpp.json"))
    return {"test": [
        {"id": f"mbpp/{r['task_id']}", "canonical": "\n" + r["code"],
         "prompt": f'"""{r["prompt"]}\n{r["test_list"][0]}\n"""', "entry_point": "",
         "tests": [*r["test_imports"], *r["test_list"]]}
        for r in rows
    ]}  # fmt: skip


def _gsm8k_code(folder: Path) -> Splits:
    """The paper's "via coding", whose prompt it does not give: a docstring (D-008)."""
    rows = _gsm8k(folder)["test"]
    return {"test": [
        {"id": f"gsm8k/{n}", "entry_point": "solve",
         "prompt": f'"""{r["question"]}"""\ndef solve():',
         "canonical": f"\n    return {_label(r['answer'])}",
         "tests": [f"assert abs(float(solve()) - {_label(r['answer'])}) < 1e-6"]}
        for n, r in enumerate(rows)
    ]}  # fmt: skip


def _label(answer: str) -> str:
    return answer.rpartition("####")[2].strip().replace(",", "")


BENCHMARKS: Mapping[str, Callable[[Path], Splits]] = {
    "agieval": _agieval,
    "arc_challenge": lambda folder: _arc(folder, "ARC-Challenge"),
    "arc_easy": lambda folder: _arc(folder, "ARC-Easy"),
    "boolq": _boolq,
    "gsm8k": _gsm8k,
    "gsm8k_code": _gsm8k_code,
    "hellaswag": _hellaswag,
    "humaneval": _humaneval,
    "lambada": _lambada,
    "mbpp": _mbpp,
    "mmlu": _mmlu,
    "openbookqa": _openbookqa,
    "piqa": _piqa,
    "siqa": _siqa,
    "squad": _squad,
    "truthfulqa": _truthfulqa,
    "winogrande": _winogrande,
}


PROGRAMS = ("gsm8k_code", "humaneval", "mbpp")  # answered by a program


def load(name: str, folder: Path) -> Splits:
    """The splits of a benchmark; `micro_*` are our own files.

    Raises:
        InputError: The name is unknown or a file is missing.
    """
    if name.startswith("micro_"):
        return {"test": read_lines(_find(folder, f"micro/{name}.jsonl"))}
    if name not in BENCHMARKS:
        raise InputError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)} and micro_*")
    try:
        return BENCHMARKS[name](folder)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{folder}: the files of {name} are not as published ({error!r}); fetch them again"
        ) from error
