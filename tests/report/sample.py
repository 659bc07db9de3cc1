"""An invented workspace of the whole graph: every number here is made up."""

import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from hornbook.artifacts import write_json, write_table, write_text
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.workspace import Hasher
from hornbook.progress import Reporter
from hornbook.stage import Run
from tests.made_run import one_by_one
from tests.report.made_models import (
    CORPORA,
    MICRO,
    write_benchmarks,
    write_compared,
    write_model,
    write_variant,
)

VARIANTS = {
    "phi-1_5": ["books", "code"],
    "phi-1_5-web": ["books", "code", "web"],
    "phi-1_5-web-only": ["code", "web"],
}
SUITES = ["choice", "generate", "code", "micro"]
MADE_OF_A_SEED = ("train", "evaluate", "toxigen")
ROOT = Path(__file__).resolve().parents[2]

ALONE = {
    "topic_proposals": ("topics", "topics/proposals", []),
    "topic_seeds": ("topics", "topics/seeds", ["topics/proposals"]),
    "book_excerpts": ("books", "books/excerpts", []),
    "book_answers": ("books", "books/answers", ["topics/seeds", "books/excerpts"]),
    "synthetic_books": ("books", "books/corpus", ["books/answers"]),
    "book_diversity": ("books", "books/diversity", ["books/corpus"]),
    "book_annotations": ("books", "books/annotations", ["books/corpus"]),
    "benchmark_tables": (
        "report",
        "report/tables",
        [
            *(f"evaluate/{variant}-{suite}" for variant in VARIANTS for suite in SUITES),
            *(
                f"{noun}/{variant}"
                for variant in VARIANTS
                for noun in ("train", "mixture", "perplexity")
            ),
            *(f"clean/decontaminated/{corpus}" for corpus in CORPORA),
        ],
    ),
    "toxigen_plots": ("report", "report/toxigen", [f"toxigen/{variant}" for variant in VARIANTS]),
}
for _noun in ("web", "code"):
    ALONE |= {
        f"{_noun}_corpus": (_noun, f"{_noun}/corpus", []),
        f"{_noun}_annotations": (_noun, f"{_noun}/annotations", [f"{_noun}/corpus"]),
        f"{_noun}_classifier": (
            _noun,
            f"{_noun}/classifier",
            [f"{_noun}/corpus", f"{_noun}/annotations"],
        ),
        f"{_noun}_scores": (_noun, f"{_noun}/scores", [f"{_noun}/corpus", f"{_noun}/classifier"]),
        f"{_noun}_filter": (_noun, f"{_noun}/filtered", [f"{_noun}/corpus", f"{_noun}/scores"]),
    }
ALONE["tokenizer"] = (
    "tokens",
    "tokens/tokenizer",
    ["clean/decontaminated/books", "clean/decontaminated/code"],
)
EACH = {
    "dedup": (
        "clean",
        "clean/dedup",
        {
            "books": ["books/corpus"],
            "code": ["code/filtered", "clean/dedup/books"],
            "web": ["web/filtered", "clean/dedup/books", "clean/dedup/code"],
        },
    ),
    "decontaminate": (
        "clean",
        "clean/decontaminated",
        {corpus: [f"clean/dedup/{corpus}"] for corpus in CORPORA},
    ),
    "tokens": (
        "tokens",
        "tokens",
        {corpus: [f"clean/decontaminated/{corpus}", "tokens/tokenizer"] for corpus in CORPORA},
    ),
    "mixture": (
        "mixture",
        "mixture",
        {name: [f"tokens/{corpus}" for corpus in used] for name, used in VARIANTS.items()},
    ),
    "train": (
        "train",
        "train",
        {
            name: [f"mixture/{name}", "tokens/tokenizer", *(f"tokens/{corpus}" for corpus in used)]
            for name, used in VARIANTS.items()
        },
    ),
    "evaluate": (
        "evaluate",
        "evaluate",
        {f"{name}-{suite}": [f"train/{name}"] for name in VARIANTS for suite in SUITES},
    ),
    "toxigen": ("toxigen", "toxigen", {name: [f"train/{name}"] for name in VARIANTS}),
    "red_team": ("red_team", "red_team", {name: [f"train/{name}"] for name in VARIANTS}),
    "perplexity": (
        "evaluate",
        "perplexity",
        {name: [f"train/{name}", *(f"tokens/{c}" for c in CORPORA)] for name in VARIANTS},
    ),
}


def _body(group: str, out: str, deps: list[str], desc: str) -> dict:
    return {
        "cmd": "true",
        "desc": desc,
        "deps": [f"artifacts/{dep}" for dep in deps],
        "outs": [f"artifacts/{out}"],
        "meta": {"group": group},
    }


def _further(seeds: tuple[int, ...]) -> dict[str, tuple[str, str, dict[str, list[str]]]]:
    """The stages of further seeds, as `EACH` has the others."""
    models = {f"{name}-{seed}": name for name in VARIANTS for seed in seeds[1:]}
    trained = {one: EACH["train"][2][name] for one, name in models.items()}
    read = {one: [f"train_seed/{one}"] for one in models}
    by_seed = {
        str(seed): [
            *([f"seed_scores/{seeds[place]}"] if place else []),
            *(f"{family}_seed/{name}-{seed}" for name in VARIANTS for family in MADE_OF_A_SEED),
        ]
        for place, seed in enumerate(seeds[1:])
    }
    return {
        "train_seed": ("train", "train_seed", trained),
        "evaluate_seed": ("evaluate", "evaluate_seed", read),
        "toxigen_seed": ("toxigen", "toxigen_seed", read),
        "seed_scores": ("report", "seed_scores", by_seed),
    }


def _compared(models: tuple[str, ...]) -> dict[str, tuple[str, str, dict[str, list[str]]]]:
    """The stages of models that were not trained here, likewise."""
    before = {name: models[place - 1 : place] for place, name in enumerate(models)}
    return {
        "evaluate_compared": ("evaluate", "evaluate_compared", {name: [] for name in models}),
        "toxigen_compared": ("toxigen", "toxigen_compared", {name: [] for name in models}),
        "compared_scores": (
            "report",
            "compared_scores",
            {
                name: [
                    *(f"compared_scores/{one}" for one in before[name]),
                    f"evaluate_compared/{name}",
                    f"toxigen_compared/{name}",
                ]
                for name in models
            },
        ),
    }


def write_workspace(
    root: Path, seeds: tuple[int, ...] = (0,), models: tuple[str, ...] = ()
) -> Path:
    """`dvc.yaml`, `params.yaml`, `dvc.lock` and all artifacts that the report reads."""
    write_text(
        root / "dvc.yaml", yaml.safe_dump({"stages": _stages(seeds, models)}, sort_keys=False)
    )
    write_text(root / "params.yaml", yaml.safe_dump(_params(seeds, models)))
    write_benchmarks(root / "data/benchmarks")
    _artifacts(root, seeds)
    for place, name in enumerate(models):
        write_compared(root / "artifacts", name, place)
    write_lock(root)
    for seed in seeds[1:]:
        run_into_place(root, "seed_scores", str(seed))
    for name in models:
        run_into_place(root, "compared_scores", name)
    return root


def _stages(seeds: tuple[int, ...], models: tuple[str, ...]) -> dict[str, Any]:
    """The stages of `dvc.yaml`."""
    stages = {
        name: _body(group, out, deps, f"What {name} makes.")
        for name, (group, out, deps) in ALONE.items()
    }
    further = _further(seeds) if len(seeds) > 1 else {}
    further |= _compared(models) if models else {}
    for family, (group, out, instances) in (EACH | further).items():
        longest = max(len(deps) for deps in instances.values())
        stages[family] = {
            "foreach": {
                name: {f"d{i}": deps[min(i, len(deps) - 1)] for i in range(longest)}
                for name, deps in instances.items()
            },
            "do": _body(
                group,
                f"{out}/${{key}}",
                [f"${{item.d{i}}}" for i in range(longest)],
                f"What {family} makes of ${{key}}.",
            ),
        }
    stages["benchmark_tables"]["params"] = ["report.tables"]
    stages["toxigen_plots"]["params"] = ["report.toxigen_plots"]
    outs = [out for _, out, _ in ALONE.values()]
    outs += [f"{out}/{name}" for _, out, instances in EACH.values() for name in instances]
    stages["report"] = _body("report", "report/page", outs, "The page.")
    stages["report"]["params"] = ["report", "data.benchmarks", "model", "teacher", "train"]
    stages["report"]["deps"].append("data/benchmarks")
    stages["train"]["do"]["params"] = ["train", "model"]
    if len(seeds) > 1:
        stages["seed_scores"]["do"]["params"] = ["further_seeds", "report"]
    if models:
        stages["compared_scores"]["do"]["params"] = ["compared.scores"]
    for name in ("benchmark_tables", "toxigen_plots", "report"):
        stages[name]["params"] += ["seeds", "compared.names"]
        stages[name]["deps"] += [f"artifacts/seed_scores/{s}" for s in seeds[1:][-1:]]
        stages[name]["deps"] += [f"artifacts/compared_scores/{one}" for one in models[-1:]]
    for family in {"seed_scores", "compared_scores"} & set(stages):
        stages[family]["do"]["deps"].append("dvc.yaml")
    return stages


def _params(seeds: tuple[int, ...], models: tuple[str, ...]) -> dict[str, Any]:
    """`params.yaml`."""
    conf = yaml.safe_load((ROOT / "conf/report/paper.yaml").read_text("utf-8"))
    before = ["dvc.yaml", *(f"artifacts/seed_scores/{seed}" for seed in seeds[1:])]
    earlier = ["dvc.yaml", *(f"artifacts/compared_scores/{name}" for name in models)]
    return {
        "report": conf,
        "train": {"lr": 0.006, "expectations": []},
        "model": {"layers": 4},
        "teacher": {"model": "procedural"},
        "data": {"benchmarks": "data/benchmarks"},
        "seeds": list(seeds),
        "further_seeds": {"scores": {str(s): before[i] for i, s in enumerate(seeds[1:])}},
        "compared": {
            "names": list(models),
            "scores": {name: earlier[place] for place, name in enumerate(models)},
        },
    }


def write_lock(root: Path) -> None:
    """`dvc.lock` as DVC would leave it after a run of all stages."""
    hasher = Hasher(root)
    entries = {}
    for name, stage in load_graph(root).stages.items():
        digest = hasher.hash(stage.out)
        entries[name] = {
            "cmd": "true",
            "params": {"params.yaml": {"train": {"lr": 0.006}, "model": {"layers": 4}}},
            "outs": [{"path": stage.out, "md5": digest, "size": 1000 + 37 * len(name)}],
        }
    write_text(root / "dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": entries}))


def _artifacts(root: Path, seeds: tuple[int, ...]) -> None:
    rng = random.Random(7)
    made = root / "artifacts"
    for name, stage in load_graph(root).stages.items():
        rows = rng.randrange(200, 9000)
        write_json(
            root / stage.out / "summary.json",
            {"rows": rows, "tokens": rows * 211, "dropped": {"too_short": 31, "low_value": 12}},
        )
        record = {
            "type": "expect_column_values_to_be_unique",
            "kwargs": {"column": "id"},
            "success": True,
            "observed": None,
            "unexpected": 0,
            "rows": [],
            "error": None,
        }
        result = {"success": True, "rows": rows, "key": "id", "expectations": [record] * 3}
        if stage.meta["group"] not in {"mixture", "report"}:
            write_json(root / stage.out / "expectations.json", {name.split("@")[0]: result})
    for asked in ("books/answers", "web/annotations", "code/annotations"):
        write_json(
            made / asked / "summary.json",
            {
                "rows": 2048,
                "prompt_tokens": 301_221,
                "completion_tokens": 1_204_551,
                "cost_usd": 2.4211,
                "failed": {"length": 3, "refused": 1},
            },
        )
    for corpus in CORPORA:
        _overlap(made / "clean/decontaminated" / corpus, corpus)
    for place, (variant, used) in enumerate(VARIANTS.items()):
        write_variant(made, variant, used, place)
        for seed in seeds[1:]:
            write_model(made, f"_seed/{variant}-{seed}", variant, used, place)
            for suite in SUITES:
                one = made / f"evaluate_seed/{variant}-{seed}-{suite}"
                shutil.move(one, made / f"evaluate_seed/{variant}-{seed}/{suite}")


def _overlap(folder: Path, corpus: str) -> None:
    found = {"books": [0, 1, 2], "code": [2, 3], "web": []}[corpus]
    rows = [
        {
            "benchmark": task,
            "item_id": f"{task}/{index}",
            "ngrams": 8,
            "positions": found if index % 2 else [],
            "copied": False,
        }
        for task in [*MICRO, "micro_functions"]
        for index in range(10)
    ]
    schema = pa.schema(
        [
            ("benchmark", pa.string()),
            ("item_id", pa.string()),
            ("ngrams", pa.int64()),
            ("positions", pa.list_(pa.int64())),
            ("copied", pa.bool_()),
        ]
    )
    write_table(folder / "overlap.parquet", pa.Table.from_pylist(rows, schema=schema))


def open_run(root: Path, name: str) -> Run:
    """What a stage function gets, in a workspace whose inputs are taken as fresh."""
    graph = load_graph(root)
    run = Run(
        graph,
        graph.stages[name],
        pending=root / "pending" / name,
        runtime=one_by_one(),
        reporter=Reporter(name),
    )
    shutil.rmtree(run.out, ignore_errors=True)
    run.out.mkdir(parents=True)
    return run


def run_into_place(root: Path, name: str, instance: str | None = None) -> Path:
    """Run a stage function and move its output where its readers look for it."""
    from importlib import import_module

    from hornbook.stages import STAGES

    stage = f"{name}@{instance}" if instance else name
    run = open_run(root, stage)
    module, function = STAGES[name].split(":")
    getattr(import_module(module), function)(run)
    target = root / load_graph(root).stages[stage].out
    shutil.rmtree(target)
    shutil.move(run.out, target)
    write_lock(root)
    return target
