"""`hornbook evaluate tasks`: the benchmarks of an experiment for lm-eval's own command line.

Each is a task file that takes prompt, choices and metrics from the file that `evaluate` uses, and
its items beside it, so that any model of lm-eval's is asked the same. Programs are left out: what
they score is not lm-eval's to say.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter

from hornbook.artifacts import shards, write_text
from hornbook.errors import ArtifactError
from hornbook.evaluate import harness
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.items import PROGRAMS, Row, Splits, load
from hornbook.evaluate.lm import tokens_of
from hornbook.evaluate.texts import OF_SUBJECTS
from hornbook.lineage.manifest import load_graph, lookup

PREFIX = "hornbook_"
HELD_OUT_METRICS = ("word_perplexity", "byte_perplexity", "bits_per_byte")


class _Task(NamedTuple):
    """A task of a benchmark: what its file adds to the one that it includes, and its items."""

    name: str
    body: Mapping[str, Any]
    splits: Splits


def write_tasks(
    folder: Path, settings: Evaluate, benchmarks: Path, *, context_tokens: int
) -> list[str]:
    """Names of the tasks written to `folder`, those of `evaluate.suites` that lm-eval scores.

    Raises:
        InputError: A file of a benchmark is missing.
    """
    asked = sorted({name for suite, names in settings.suites.items() for name in names
                    if suite != "code" and name not in PROGRAMS})  # fmt: skip
    return [_write(folder, one) for name in asked
            for one in _tasks(name, settings, benchmarks, context_tokens)]  # fmt: skip


def write_held_out(folder: Path, root: Path, corpus: str, documents: int) -> str | None:
    """The task of a corpus: how probable its first held-out documents are, each by itself.

    None where its artifacts are not in the workspace or have no held-out document.
    """
    tokens = root / "artifacts/tokens" / corpus
    texts = root / "artifacts/clean/decontaminated" / corpus
    rows = list(_held_out(tokens, texts, documents))
    if not rows:
        return None
    metrics = [{"metric": metric} for metric in HELD_OUT_METRICS]
    body = {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{text}}",
            "test_split": "test", "metric_list": metrics}  # fmt: skip
    return _write(folder, _Task(f"heldout_{corpus}", body, {"test": rows}))


def _tasks(name: str, settings: Evaluate, benchmarks: Path, context_tokens: int) -> Iterator[_Task]:
    splits, own = load(name, benchmarks), harness.own_file(name)
    parts = {name: splits} if own else harness.parts(name, splits)
    limit = settings.limit
    if limit is not None and name in OF_SUBJECTS:
        limit = max(1, limit // len(parts))
    for task, part in parts.items():
        file = own or harness.registered_file(task)
        body = {"include": str(file.resolve()), **({} if own else harness.changed(name, part))}
        yield _Task(task, body | _length(file, settings, context_tokens), _limited(part, limit))


def _length(file: Path, settings: Evaluate, context_tokens: int) -> dict[str, Any]:
    """How long a text may get, as our own model takes it; nothing for what is chosen."""
    from lm_eval.tasks._yaml_loader import load_yaml

    said = load_yaml(file, resolve_func=False)
    if said.get("output_type", "generate_until") != "generate_until":
        return {}
    own = said.get("generation_kwargs") or {}
    most = min(tokens_of(own.get("max_gen_toks"), settings.new_tokens), context_tokens // 2)
    return {"generation_kwargs": {**own, "max_gen_toks": most}}


def _limited(splits: Splits, limit: int | None) -> Splits:
    """The first items of the split that is scored; few-shot examples stay."""
    scored = "test" if "test" in splits else "validation"
    return {name: rows[:limit] if name == scored else rows for name, rows in splits.items()}


def _write(folder: Path, task: _Task) -> str:
    """The name of a task whose file and items were written."""
    name = f"{PREFIX}{task.name}"
    files: dict[str, str] = {}
    for split, rows in task.splits.items():
        file = folder.resolve() / "items" / f"{name}-{split}.jsonl"
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        write_text(file, "\n".join(lines) + "\n")
        files[split] = str(file)
    body = {**task.body, "task": name, "dataset_path": "json", "dataset_name": None,
            "dataset_kwargs": {"data_files": files}}  # fmt: skip
    write_text(folder / f"{name}.yaml", yaml.safe_dump(body, sort_keys=False, allow_unicode=True))
    return name


def _held_out(tokens: Path, texts: Path, most: int) -> Iterator[Row]:
    import pyarrow.parquet as pq

    if not (tokens.exists() and texts.exists()):
        return
    wanted: list[str] = []
    for file in shards(tokens, "index"):
        table = pq.read_table(file, columns=["id", "split"])
        pairs = zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True)
        wanted += [one for one, split in pairs if split == "heldout"]
    left = set(wanted[:most])
    for file in shards(texts):
        table = pq.read_table(file, columns=["id", "text"])
        pairs = zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True)
        yield from ({"text": text} for one, text in pairs if one in left)


def main(arguments: Sequence[str]) -> int:
    """`hornbook evaluate tasks FOLDER`."""
    parser = argparse.ArgumentParser(
        prog="hornbook evaluate tasks",
        description="Write this experiment's benchmarks, and held-out documents, as tasks for "
        "lm_eval --include_path FOLDER --tasks 'hornbook_*'.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100, help="of each corpus; default: 100")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    params = load_graph(root).params
    settings = TypeAdapter(Evaluate).validate_python(params["evaluate"])
    benchmarks = root / lookup(params, "data.benchmarks")
    if not benchmarks.exists():
        raise ArtifactError(f"{benchmarks} is not there; run: dvc pull data.dvc")
    names = write_tasks(
        options.folder, settings, benchmarks, context_tokens=params["model"]["context_tokens"]
    )
    for corpus in params["perplexity"]["corpora"]:
        name = write_held_out(options.folder, root, corpus, options.documents)
        names += [name] if name else []
        if name is None:
            print(f"no held-out documents of {corpus} here; "  # noqa: T201
                  f"dvc checkout artifacts/tokens artifacts/clean/decontaminated")  # fmt: skip
    for name in names:
        print(name)  # noqa: T201
    return 0
