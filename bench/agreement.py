"""One trained checkpoint scored by us and by lm-eval itself: the same items, prompts and metrics.

The checkpoint (phi-1_5 of the graph, or the variant that is named) is exported, `hornbook evaluate
tasks` writes the benchmarks of params.yaml, and lm-eval's own command line asks `--model hf`.
Programs are not lm-eval's to judge: its HFLM writes them, our sandbox judges both. Held-out
documents stand for perplexity, each read by itself. Takes a minute or two of processor time.

scores                the number of scores compared
max_score_difference  of all scores that are shares of items, the largest difference
same_items            share of items that both score alike
max_nats_a_byte       largest difference of the loss on held-out text
same_programs         share of problems to which both write the same program
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from math import log
from pathlib import Path
from statistics import fmean as mean
from typing import Any, NamedTuple

from peer import HERE

sys.path.insert(0, str(HERE.parent / "src"))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["PYTHONPATH"] = str(HERE.parent / "src")
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.tasks._yaml_loader import load_yaml
from pydantic import TypeAdapter

from hornbook.evaluate import harness, programs
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.items import load
from hornbook.evaluate.lm import HornbookLM
from hornbook.evaluate.memory import Memory
from hornbook.lineage.manifest import load_graph, lookup
from hornbook.model.checkpoint import load_model
from hornbook.sandbox.sandbox import Program, missing, run_programs
from hornbook.tokens.encoder import Encoder

ROOT = HERE.parent


class Score(NamedTuple):
    """One line of the table; `ours_by_item` is empty where items have no score of their own."""

    task: str
    metric: str
    ours: float
    theirs: float
    ours_by_item: list[float]
    theirs_by_item: list[float]


def ours(variant: str, settings: Evaluate, store: Path) -> HornbookLM:
    """The checkpoint as the stage loads it, with nothing remembered."""
    folder = ROOT / "artifacts/train" / variant
    model = load_model(folder, settings.device, getattr(torch, settings.dtype),
                       attention=settings.attention)  # fmt: skip
    model.pack()
    return HornbookLM(model, Encoder.load(folder), memory=Memory(store, "digest", {}),
                      rows=settings.batch_rows, new_tokens=settings.new_tokens,
                      advance=lambda _: None)  # fmt: skip


def asked_by_lm_eval(exported: Path, tasks: Path, out: Path, settings: Evaluate) -> dict[str, Any]:
    """What lm-eval's command line found, and its items by task."""
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf",
               "--model_args", f"pretrained={exported},dtype={settings.dtype}",
               "--include_path", str(tasks), "--tasks", "hornbook_*",
               "--device", settings.device, "--batch_size", str(settings.batch_rows),
               "--output_path", str(out), "--log_samples"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    (results,) = out.rglob("results_*.json")
    found = json.loads(results.read_text("utf-8"))["results"]
    samples: dict[str, list[dict[str, Any]]] = {}
    for file in out.rglob("samples_*.jsonl"):
        rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
        samples[file.stem.removeprefix("samples_").rpartition("_")[0]] = rows
    return {"results": found, "samples": samples}


def chosen_and_written(
    lm: HornbookLM, settings: Evaluate, benchmarks: Path, theirs: dict[str, Any]
) -> Iterator[Score]:
    """The scores of all suites that lm-eval judges."""
    for suite, names in settings.suites.items():
        for name in sorted(names) if suite != "code" else ():
            tasks = harness.build(name, settings, benchmarks)
            cells, scored = harness.run_task(name, lm, settings, benchmarks)
            for cell in cells:
                own = [one.score for one in scored if one.metric == cell.metric]
                items = [*their_items(name, cell.metric, sorted(tasks), theirs["samples"])]
                yield Score(name, cell.metric, mean(own), mean(items), own, items)


def their_items(
    name: str, metric: str, tasks: list[str], samples: dict[str, list[dict[str, Any]]]
) -> Iterator[float]:
    """lm-eval's score of each item, in our order."""
    renamed = harness.BY_METRIC.get(name, {})
    for task in tasks:
        if renamed.get(task, metric) != metric:
            continue
        for row in sorted(samples[f"hornbook_{task}"], key=lambda row: row["doc_id"]):
            if name != "gsm8k" or row["filter"] == harness.GSM8K_FILTER:
                yield float(row["acc" if renamed else metric])


def held_out(lm: HornbookLM, tasks: Path, theirs: dict[str, Any]) -> Iterator[Score]:
    """Perplexity of held-out documents of each corpus."""
    for file in sorted(tasks.glob("hornbook_heldout_*.yaml")):
        name = file.stem
        found = evaluate(lm, {name: ConfigurableTask(config=load_yaml(file))}, bootstrap_iters=0)
        assert found is not None, "lm-eval answers on the main rank"
        for metric in ("byte_perplexity", "word_perplexity"):
            key = f"{metric},none"
            both = (float(side[name][key]) for side in (found["results"], theirs["results"]))
            yield Score(name.removeprefix("hornbook_"), metric, *both, [], [])


def written_programs(
    lm: HornbookLM, exported: Path, settings: Evaluate, benchmarks: Path
) -> Iterator[tuple[Score, float]]:
    """pass@1 of the programs that both write, judged by our sandbox; the share of equal ones."""
    from lm_eval.models.huggingface import HFLM

    hflm = HFLM(pretrained=str(exported), dtype=settings.dtype, device=settings.device,
                batch_size=settings.batch_rows)  # fmt: skip
    most = min(settings.new_tokens, lm.context // 2)
    how = {"until": programs.STOPS, "max_gen_toks": most, "do_sample": False}
    for name in sorted(settings.suites["code"]):
        rows = load(name, benchmarks)["test"][: settings.limit]
        prompts = [str(row["prompt"]).rstrip("\n") for row in rows]
        stops = [programs.STOPS] * len(rows)
        asked = [Instance("generate_until", {}, (prompt, how), 0) for prompt in prompts]
        texts = {"ours": lm.generate(prompts, stops),
                 "theirs": hflm.generate_until(asked, disable_tqdm=True)}  # fmt: skip
        passed: dict[str, list[float]] = {}
        for side, written in texts.items():
            runs = [Program(prompt + text, row["tests"], prompt + row["canonical"])
                    for prompt, text, row in zip(prompts, written, rows, strict=True)]  # fmt: skip
            verdicts = run_programs(runs, settings.sandbox, 2)
            passed[side] = [float(verdict.outcome == "passed") for verdict in verdicts]
        same = sum(a == b for a, b in zip(*texts.values(), strict=True)) / len(rows)
        shares = (sum(own) / len(rows) for own in passed.values())
        yield Score(name, "pass@1", *shares, *passed.values()), same


def shown(score: Score) -> str:
    """A line of the table."""
    alike = ""
    if score.ours_by_item:
        pairs = list(zip(score.ours_by_item, score.theirs_by_item, strict=True))
        alike = f"{sum(abs(a - b) < 1e-6 for a, b in pairs)}/{len(pairs)}"
    return (f"{score.task:<18}{score.metric:<17}{score.ours:>14.6g}{score.theirs:>14.6g}"
            f"{score.ours - score.theirs:>11.1e}{alike:>12}")  # fmt: skip


def main() -> None:
    """Ask both, print side by side."""
    variant = sys.argv[1] if len(sys.argv) > 1 else "phi-1_5"
    params = load_graph(ROOT).params
    settings = TypeAdapter(Evaluate).validate_python(params["evaluate"])
    settings = replace(settings, samples=1, pass_at=[1])  # HFLM draws from another stream
    benchmarks = ROOT / lookup(params, "data.benchmarks")
    torch.set_num_threads(settings.threads)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        exported, tasks = folder / "exported", folder / "tasks"
        for command in (["export", variant, str(exported)], ["evaluate", "tasks", str(tasks)]):
            subprocess.run([sys.executable, "-m", "hornbook", *command], cwd=ROOT, check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
        theirs = asked_by_lm_eval(exported, tasks, folder / "results", settings)
        lm = ours(variant, settings, folder)
        print(f"{variant}, {settings.dtype}, {settings.device}; lm-eval --model hf beside us")
        print(f"{'':<18}{'':<17}{'ours':>14}{'lm-eval':>14}{'difference':>11}{'items alike':>12}")
        found = [*chosen_and_written(lm, settings, benchmarks, theirs)]
        same: list[float] = []
        if settings.suites["code"] and missing() is None:
            for score, share in written_programs(lm, exported, settings, benchmarks):
                found.append(score)
                same.append(share)
        perplexities = [*held_out(lm, tasks, theirs)]
    for score in [*found, *perplexities]:
        print(shown(score))
    pairs = [pair for one in found
             for pair in zip(one.ours_by_item, one.theirs_by_item, strict=True)]  # fmt: skip
    nats = [abs(log(one.ours) - log(one.theirs)) for one in perplexities
            if one.metric == "byte_perplexity"]  # fmt: skip
    result = {
        "scores": len(found) + len(perplexities),
        "max_score_difference": max(abs(one.ours - one.theirs) for one in found),
        "same_items": sum(abs(a - b) < 1e-6 for a, b in pairs) / len(pairs),
        "max_nats_a_byte": max(nats, default=None),
        "same_programs": min(same, default=None),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
