"""lm-eval's own tasks over local items: its prompts, its metrics, our model."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.items import Splits, load
from hornbook.evaluate.lm import HornbookLM
from hornbook.evaluate.scoring import Cell, Scored, make_cell
from hornbook.evaluate.texts import HARNESS_NAMES

BLIND_CONTEXT = "Answer:"

METRICS = {"gsm8k": "exact_match", "squad": "exact_match", "micro_cloze": "exact_match"}
ACC = {"metric": "acc", "aggregation": "mean", "higher_is_better": True}
EXACT = {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True,
         "ignore_case": True, "ignore_punctuation": True}  # fmt: skip
STRIPPED = [{"name": "stripped", "filter": [{"function": "remove_whitespace"},
                                            {"function": "take_first"}]}]  # fmt: skip

# Our own tasks, in lm-eval's format; for SQuAD v1.1 it has none.
OURS: Mapping[str, dict[str, Any]] = {
    "micro_choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{context}}",
        "doc_to_target": "answer",
        "doc_to_choice": "{{choices}}",
        "target_delimiter": "",
        "metric_list": [ACC],
    },
    "micro_cloze": {
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n", ".", ","], "do_sample": False},
        "filter_list": STRIPPED,
        "metric_list": [EXACT],
    },
    "squad": {
        "output_type": "generate_until",
        "doc_to_text": "{{context}}\n\nQuestion: {{question}}\nAnswer:",
        "doc_to_target": "{{answers}}",
        "generation_kwargs": {"until": ["\n"], "do_sample": False},
        "filter_list": STRIPPED,
        "metric_list": [EXACT],
    },
}


def build(name: str, settings: Evaluate, benchmarks: Path) -> dict[str, Any]:
    """lm-eval tasks of a benchmark by their names; MMLU has one per subject.

    Raises:
        InputError: A file of the benchmark is missing.
    """
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}  # nobody is called unasked
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager

    splits = load(name, benchmarks)
    own = OURS.get("micro_choice" if name.startswith("micro_") and name != "micro_cloze" else name)
    if own is not None:
        data = {split: Dataset.from_list(rows) for split, rows in splits.items()}
        config = {"task": name, "test_split": "test", "custom_dataset": lambda **_: data, **own}
        return {name: ConfigurableTask(config=config)}
    manager = TaskManager()
    if name == "mmlu":
        subjects = sorted({row["subject"] for row in splits["test"]})
        parts = {f"mmlu_{subject}": _of_subject(splits, subject) for subject in subjects}
    else:
        parts = {HARNESS_NAMES.get(name, name): splits}
    tasks: dict[str, Any] = {}
    for task, rows in parts.items():
        data = {split: Dataset.from_list(part) for split, part in rows.items()}
        changed: dict[str, Any] = {"custom_dataset": lambda data=data, **_: data}
        changed |= {f"{s}_split": None for s in ("training", "validation", "test") if s not in data}
        if name == "mmlu":
            changed["num_fewshot"] = 2  # the paper's protocol, Table 3
        tasks[task] = _registered(manager, task, changed)
    for task in tasks.values():
        task.set_fewshot_seed(settings.seed)
    return tasks


def _registered(manager: Any, task: str, changed: Mapping[str, Any]) -> Any:  # noqa: ANN401 - untyped
    """A task of lm-eval's own with other items; its public `load` takes a mapping as a new task."""
    entry = manager._entry(task)  # noqa: SLF001
    return manager._factory.build(entry, overrides=dict(changed), registry=manager._index)  # noqa: SLF001


def _of_subject(splits: Splits, subject: str) -> Splits:
    return {k: [row for row in rows if row["subject"] == subject] for k, rows in splits.items()}


def run_task(
    name: str, lm: HornbookLM, settings: Evaluate, benchmarks: Path
) -> tuple[Cell, list[Scored]]:
    """The cell of a benchmark and its items' scores.

    Raises:
        InputError: A file of the benchmark is missing.
    """
    from lm_eval.evaluator import evaluate

    tasks = build(name, settings, benchmarks)
    limit = settings.limit
    if limit is not None and len(tasks) > 1:
        limit = max(1, limit // len(tasks))
    before = lm.shortened
    found = evaluate(lm, tasks, limit=limit, bootstrap_iters=0, log_samples=True)
    assert found is not None, "lm-eval answers on the main rank, and there is only one"
    shortened = lm.shortened - before
    samples_by_task: dict[str, Any] = found.get("samples", {})
    metric = METRICS.get(name, "acc")
    asked = [
        (task, sample)
        for task, samples in sorted(samples_by_task.items())
        for sample in sorted(samples, key=lambda s: (s["doc_id"], str(s.get("filter"))))
        if name != "gsm8k" or sample.get("filter") == "flexible-extract"
    ]
    scored = [_scored(name, task, sample, metric) for task, sample in asked]
    cell = make_cell(
        scored,
        metric=metric,
        version=definition(tasks),
        chance=_chance(samples_by_task),
        blind=_blind(lm, [sample for _, sample in asked]),
        shortened=shortened,
        resamples=settings.resamples,
        seed=settings.seed,
    )
    return cell, scored


def _scored(name: str, task: str, sample: Mapping[str, Any], metric: str) -> Scored:
    doc = sample["doc"]
    item = f"{task}/{doc.get('id', sample['doc_id'])}"
    cluster = str(doc.get("cluster") or (doc.get("context") if name == "squad" else item))
    value = sample[metric]
    score = float(value[0] if isinstance(value, list | tuple) else value)
    detail = json.dumps(sample["filtered_resps"], default=str)[:200]
    return Scored(name, item, cluster, min(max(score, 0.0), 1.0), detail)


def _choices(sample: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(context, continuation) of each choice, empty for what is no multiple choice."""
    pairs: list[tuple[str, str]] = []
    arguments = sample["arguments"]
    rows = arguments.values() if isinstance(arguments, Mapping) else arguments
    for row in rows:
        one = list(row.values()) if isinstance(row, Mapping) else list(row)
        if len(one) >= 2 and isinstance(one[1], str):
            pairs.append((str(one[0]), one[1]))
    return pairs


def _blind(lm: HornbookLM, samples: Sequence[Mapping[str, Any]]) -> float | None:
    """How often the right choice wins without its question; None where choices are no answers."""
    asked: list[list[tuple[str, str]]] = []
    rights: list[int] = []
    for sample in samples:
        pairs, target = _choices(sample), str(sample.get("target"))
        right = int(target) if target.isdigit() else len(pairs)
        if len(pairs) < 2 or right >= len(pairs) or len({context for context, _ in pairs}) != 1:
            return None
        asked.append([(BLIND_CONTEXT, choice) for _, choice in pairs])
        rights.append(right)
    told = iter(lm.score_pairs([pair for pairs in asked for pair in pairs]))
    scores = [[next(told) for _ in pairs] for pairs in asked]
    won = [one.index(max(one)) == right for one, right in zip(scores, rights, strict=True)]
    return sum(won) / len(won)


def _chance(samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> float | None:
    counts = [len(_choices(sample)) for rows in samples.values() for sample in rows]
    return sum(1 / n for n in counts) / len(counts) if counts and min(counts) > 1 else None


def definition(tasks: Mapping[str, Any]) -> str:
    """A hash of what defines the tasks: prompts, choices, metrics, few-shot."""
    said = {
        name: {k: str(v) for k, v in task.dump_config().items() if k != "custom_dataset"}
        for name, task in sorted(tasks.items())
    }
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
