"""lm-eval's own tasks over local items: its prompts, its metrics, our model."""

import hashlib
import inspect
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.errors import ArtifactError
from hornbook.evaluate import squad
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.floors import Question, blind, blind_scores, guess, question_of
from hornbook.evaluate.items import Splits, load, passage_name
from hornbook.evaluate.lm import LM, tokens_of
from hornbook.evaluate.scoring import Cell, Scored, make_cell
from hornbook.evaluate.texts import HARNESS_NAMES, OF_SUBJECTS, task_of

# of those that lm-eval gives for an item, what a cell may be of; the first one is the paper's
METRICS = ("acc", "exact_match", "mc1", "mc2", "f1", "acc_norm")
# a benchmark with a task of lm-eval's for each of its metrics, by lm-eval's name for that
BY_METRIC = {"truthfulqa": {"truthfulqa_mc1": "mc1", "truthfulqa_mc2": "mc2"}}
GSM8K_FILTER = "flexible-extract"  # the last number of the answer
PASSAGES = {"agieval": "passage", "boolq": "passage", "siqa": "context", "squad": "context"}
DETAIL_DIGITS = 4
OUR_TASKS = Path(__file__).parent / "tasks"  # in lm-eval's format, each with its reason


def build(name: str, settings: Evaluate, benchmarks: Path) -> dict[str, Any]:
    """lm-eval tasks of a benchmark by their names; MMLU and AGIEval have one per subject.

    Raises:
        InputError: A file of the benchmark is missing.
    """
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}  # nobody is called unasked
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    splits = load(name, benchmarks)
    file = own_file(name)
    if file:
        tasks = {name: _own_task(name, file, splits)}
    else:
        tasks = {
            task: _registered(
                _manager(), task, {"custom_dataset": _datasets(part), **changed(name, part)}
            )
            for task, part in parts(name, splits).items()
        }
    for task in tasks.values():
        task.set_fewshot_seed(settings.seed)
    return tasks


def own_file(name: str) -> Path | None:
    """Our task file of a benchmark; None where lm-eval has the task."""
    is_choice = name.startswith("micro_") and name != "micro_cloze"
    file = OUR_TASKS / f"{'micro_choice' if is_choice else name}.yaml"
    return file if file.exists() else None


def registered_file(task: str) -> Path:
    """The file of a task of lm-eval's own."""
    return Path(_manager()._entry(task).yaml_path)  # noqa: SLF001


def _own_task(name: str, file: Path, splits: Splits) -> Any:  # noqa: ANN401 - untyped
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    config = {**load_yaml(file), "task": name, "custom_dataset": _datasets(splits)}
    return ConfigurableTask(config=config)


def _datasets(splits: Splits) -> Any:  # noqa: ANN401 - what lm-eval calls for its data
    from datasets import Dataset

    data = {split: Dataset.from_list(rows) for split, rows in splits.items()}
    return lambda **_: data


def parts(name: str, splits: Splits) -> dict[str, Splits]:
    """The items of each of lm-eval's tasks that a benchmark consists of."""
    if name in BY_METRIC:
        return dict.fromkeys(BY_METRIC[name], splits)
    if name not in OF_SUBJECTS:
        return {HARNESS_NAMES.get(name, name): splits}
    found: dict[str, Splits] = {}
    for split, rows in splits.items():
        for row in rows:
            found.setdefault(task_of(name, row), {}).setdefault(split, []).append(row)
    return dict(sorted(found.items()))


def changed(name: str, splits: Splits) -> dict[str, Any]:
    """What is other than in lm-eval's file of the task, besides where items come from."""
    found: dict[str, Any] = {
        f"{s}_split": None for s in ("training", "validation", "test") if s not in splits
    }
    if name == "mmlu":
        found["num_fewshot"] = 2  # the paper's protocol, Table 3
    return found


@cache
def _manager() -> Any:  # noqa: ANN401 - untyped
    """lm-eval's own tasks by name; listing them reads thousands of files."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def _registered(manager: Any, task: str, overrides: Mapping[str, Any]) -> Any:  # noqa: ANN401 - untyped
    """A task of lm-eval's own with other items; its public `load` takes a mapping as a new task."""
    entry = manager._entry(task)  # noqa: SLF001
    return manager._factory.build(entry, overrides=dict(overrides), registry=manager._index)  # noqa: SLF001


class _Item(NamedTuple):
    """What is known of an item that was asked."""

    name: str
    cluster: str
    detail: str
    question: Question | None
    scores: Mapping[str, float]  # by metric


def run_task(
    name: str, lm: LM, settings: Evaluate, benchmarks: Path
) -> tuple[list[Cell], list[Scored]]:
    """The cells of a benchmark, one for each metric, and its items' scores by each.

    Raises:
        InputError: A file of the benchmark is missing.
        ArtifactError: An item has no score.
    """
    from lm_eval.evaluator import evaluate

    tasks = build(name, settings, benchmarks)
    limit = settings.limit
    if limit is not None and name in OF_SUBJECTS:
        limit = max(1, limit // len(tasks))
    before = lm.shortened
    found = evaluate(lm, tasks, limit=limit, bootstrap_iters=0, log_samples=True)
    assert found is not None, "lm-eval answers on the main rank, and there is only one"
    shortened = lm.shortened - before
    cells: list[Cell] = []
    scored: list[Scored] = []
    version = definition(tasks, settings)
    for metric, own in _by_metric(list(_items(name, found.get("samples", {})))).items():
        scores = [Scored(name, metric, one.name, one.cluster, one.scores[metric], one.detail)
                  for one in own]  # fmt: skip
        scored += scores
        cells.append(
            make_cell(
                scores,
                version=version,
                **_floors(metric, own, lm),
                shortened=shortened,
                resamples=settings.resamples,
                seed=settings.seed,
            )
        )
    return cells, scored


def _by_metric(items: Sequence[_Item]) -> dict[str, list[_Item]]:
    """Of each metric that every item has, the items as they were asked for it."""
    everyone = len({item.name for item in items})
    found = {metric: [item for item in items if metric in item.scores] for metric in METRICS}
    return {metric: own for metric, own in found.items() if own and len(own) == everyone}


def _items(name: str, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[_Item]:
    renamed = BY_METRIC.get(name, {})
    for task, rows in sorted(samples.items()):
        for sample in sorted(rows, key=lambda s: (s["doc_id"], str(s.get("filter")))):
            if name == "gsm8k" and sample.get("filter") != GSM8K_FILTER:
                continue
            doc, number = sample["doc"], sample["doc_id"]
            item = f"{name if task in renamed else task}/{doc.get('id', number)}"
            yield _Item(
                name=item,
                cluster=_cluster(name, doc) or item,
                detail=json.dumps(_rounded(sample["filtered_resps"]), default=str)[:200],
                question=question_of(sample),
                scores=_scores(sample, renamed.get(task), f"{task}/{number}"),
            )


def _cluster(name: str, doc: Mapping[str, Any]) -> str | None:
    """What an item shares with others: its template, or the passage that it is asked about."""
    if doc.get("cluster"):
        return str(doc["cluster"])
    passage = doc.get(PASSAGES.get(name, ""))
    return passage_name(passage) if passage else None


def _rounded(answers: Any) -> Any:  # noqa: ANN401 - what lm-eval's filters leave
    """Answers as they are read: a log-probability has fewer digits than a float."""
    if isinstance(answers, float):
        return round(answers, DETAIL_DIGITS)
    return [_rounded(one) for one in answers] if isinstance(answers, list | tuple) else answers


def _scores(sample: Mapping[str, Any], renamed: str | None, where: str) -> dict[str, float]:
    """The scores of an item in [0, 1] by metric."""
    if renamed is not None:
        scores = {renamed: float(sample["acc"])}
    else:
        scores = {metric: float(sample[metric]) for metric in METRICS if metric in sample}
    for metric, score in scores.items():
        if not -1e-6 <= score <= 1 + 1e-6:  # nan is not either
            raise ArtifactError(
                f"{where}: {metric} is {score}, expected 0 to 1; the model gives its answers no "
                f"probability that a number can hold. Leave the benchmark out of evaluate.suites, "
                f"or look at the training curve of the model"
            )
    return {metric: min(max(score, 0.0), 1.0) for metric, score in scores.items()}


def _floors(metric: str, items: Sequence[_Item], lm: LM) -> dict[str, float | None]:
    """Mean scores of a guess and of the answers without questions; None where nothing is known."""
    questions = [item.question for item in items]
    if not any(questions):
        return {"chance": None, "blind": None}
    told = blind_scores(questions, lm.score_pairs)
    known = [blind(metric, one, logps) for one, logps in zip(questions, told, strict=True)]
    sure = [value for value in known if value is not None]
    return {
        "chance": sum(guess(metric, one) for one in questions) / len(questions),
        "blind": sum(sure) / len(sure) if len(sure) == len(known) else None,
    }


def definition(tasks: Mapping[str, Any], settings: Evaluate) -> str:
    """A hash of what defines the tasks: prompts, choices, scorers, few-shot, every item.

    Of one that is answered in writing also how long a text may get.
    """
    said = {
        name: {k: str(v) for k, v in task.dump_config().items() if k != "custom_dataset"}
        | {"scorer": _scorer(task.config.process_results), "items": _items_hash(task.dataset)}
        | _length(task, settings)
        for name, task in sorted(tasks.items())
    }
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _length(task: Any, settings: Evaluate) -> dict[str, int]:  # noqa: ANN401 - untyped
    if task.OUTPUT_TYPE != "generate_until":
        return {}
    own = (task.config.generation_kwargs or {}).get("max_gen_toks")
    return {"tokens": tokens_of(own, settings.new_tokens)}


def _scorer(function: Any) -> str:  # noqa: ANN401 - a function or nothing
    """The source of a scorer of ours with what it calls; lm-eval's own are in the configuration."""
    return inspect.getsource(squad) if function is squad.process_results else ""


def _items_hash(splits: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for split, rows in sorted(splits.items()):
        digest.update(split.encode())
        for row in rows.to_list():
            digest.update(json.dumps(row, sort_keys=True).encode())
    return digest.hexdigest()
