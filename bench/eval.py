"""Our LM for lm-eval beside HFLM on the same exported checkpoint, on one core.

Items are real (PIQA, ARC-Easy, HellaSwag; MMLU with two shots) where the published files are there,
else the micro-suites and made few-shot questions. The checkpoint has 4 layers of width 256 and
random weights. Prints a table and, as the last line, one JSON object:
ratio                 requests per CPU-second, ours over HFLM's, zero-shot multiple choice, fp32
ratio_mmlu            the same for MMLU with two shots
max_dlogp             largest difference of a log-probability, in nats
same_choices          share of items on which both choose alike
generate_b1_ratio     greedy tokens per CPU-second at batch 1, ours over transformers'
generate_b32_ratio    the same at batch 32
same_tokens           share of prompts whose greedy tokens are all equal
"""

import json
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
import torch  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.api.model import TemplateLM  # noqa: E402
from pydantic import TypeAdapter  # noqa: E402

from hornbook.evaluate.config import Evaluate  # noqa: E402
from hornbook.evaluate.greedy import Job, write  # noqa: E402
from hornbook.evaluate.lm import HornbookLM  # noqa: E402
from hornbook.evaluate.memory import Memory  # noqa: E402
from hornbook.model.checkpoint import load_model, save_model  # noqa: E402
from hornbook.model.config import Model  # noqa: E402
from hornbook.model.phi import Phi  # noqa: E402
from hornbook.tokens.encoder import Encoder  # noqa: E402
from hornbook.tokens.vocabulary import fit, save  # noqa: E402

ITEMS, SUBJECT_ITEMS = 40, 12  # of each benchmark, of each subject
ROUNDS, TEXT_ROUNDS = 5, 9
PROMPT, NEW = 64, 128
SHAPE = {
    "layers": 4, "width": 256, "heads": 8, "rotary_channels": 16, "mlp_width": 1024,
    "context_tokens": 512, "norm_eps": 1e-5, "rope_theta": 10000.0, "init_std": 0.06,
}  # fmt: skip


def items() -> tuple[str, dict[str, list[list[tuple[str, str]]]]]:
    """For each of the two settings, the choices of each item; and where they are from."""
    from tests.made_run import conf

    shared = os.environ.get("HORNBOOK_SHARED_DATA")
    folder = Path(shared) if shared else ROOT.parent / "shared" / "data"
    is_real = folder.exists()
    settings = TypeAdapter(Evaluate).validate_python(
        conf("evaluate", "sample") | {"attention": "sdpa"}
    )
    if not is_real:
        folder = ROOT / "data" / "benchmarks"
    zero = ("piqa", "arc_easy", "hellaswag") if is_real else ("micro_science", "micro_steps")
    found = {"zero-shot": [], "two-shot": []}
    for name in zero:
        found["zero-shot"] += choices(name, settings, folder, ITEMS)
    if is_real:
        found["two-shot"] = choices("mmlu", settings, folder, SUBJECT_ITEMS)[: 5 * SUBJECT_ITEMS]
    else:
        shots = "".join(f"Q: {n} or {n + 1}? A: {n}\n\n" for n in range(30))
        found["two-shot"] = [
            [(f"{shots}Q: {n} or {n * n}? A:", f" {letter}") for letter in "ABCD"]
            for n in range(60)
        ]
    return ", ".join(zero) + (", mmlu" if is_real else ", made few-shot items"), found


def choices(name: str, settings: Evaluate, folder: Path, most: int) -> list[list[tuple[str, str]]]:
    """The requests that lm-eval makes of each item of a benchmark."""
    from hornbook.evaluate.harness import build

    listed: list[list[tuple[str, str]]] = []
    for task in build(name, settings, folder).values():
        task.build_all_requests(limit=most)
        by_item: dict[int, list[tuple[str, str]]] = {}
        for instance in task.instances:
            by_item.setdefault(instance.doc_id, []).append(instance.args)
        listed += by_item.values()
    return listed


def checkpoint(folder: Path, texts: list[str]) -> None:
    """A model with random weights in the released layout, with a tokenizer fitted to `texts`."""
    vocabulary = fit(texts, vocab_size=2048, whole_numbers_to=99, min_frequency=2,
                     eos_text="<|endoftext|>")  # fmt: skip
    save(vocabulary, folder, kind="fit", vocab_size=2048)
    model = Phi(Model(**SHAPE), vocab_size=2048, attention="explicit")
    model.initialise(0)
    save_model(model, folder, eos_token_id=vocabulary.eos)


def ours(folder: Path) -> Phi:
    """The checkpoint as the stage loads it."""
    model = load_model(folder, attention="sdpa")
    model.pack()
    return model


def hornbook_lm(folder: Path, store: Path) -> HornbookLM:
    """Ours, with nothing remembered."""
    return HornbookLM(ours(folder), Encoder.load(folder), memory=Memory(store, "digest", {}),
                      rows=32, new_tokens=NEW, advance=lambda _: None)  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and what the work returned."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def multiple_choice(
    folder: Path, theirs: TemplateLM, listed: list[list[tuple[str, str]]]
) -> tuple[float, float, float, float, float]:
    """Requests per CPU-second of both, their ratio, the largest difference, equal choices."""
    requests = [Instance("loglikelihood", {}, pair, 0) for item in listed for pair in item]
    seconds: dict[str, list[float]] = {"ours": [], "hflm": []}
    scores: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as store:
            for name, lm in (("ours", hornbook_lm(folder, Path(store))), ("hflm", theirs)):
                used, found = timed(lambda lm=lm: lm.loglikelihood(requests, disable_tqdm=True))
                seconds[name].append(used)
                scores[name] = [logp for logp, _ in found]
    worst = max(abs(a - b) for a, b in zip(scores["ours"], scores["hflm"], strict=True))
    same = at = 0
    for item in listed:
        best = {name: max(range(len(item)), key=lambda k: told[at + k])
                for name, told in scores.items()}  # fmt: skip
        same += best["ours"] == best["hflm"]
        at += len(item)
    rates = {name: len(requests) / statistics.median(used) for name, used in seconds.items()}
    return rates["ours"], rates["hflm"], rates["ours"] / rates["hflm"], worst, same / len(listed)


def generation(folder: Path, rows: int) -> tuple[float, float, float]:
    """Greedy tokens per CPU-second of both, and the share of equal texts."""
    from transformers import PhiForCausalLM

    theirs = PhiForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model, encoder = ours(folder), Encoder.load(folder)
    rng = random.Random(0)
    prompts = [[rng.randrange(2000) for _ in range(PROMPT)] for _ in range(rows)]
    ids = torch.tensor(prompts)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    texts: list[str] = []
    made = ids
    for _ in range(TEXT_ROUNDS):
        jobs = [Job(prompt, ()) for prompt in prompts]
        used, texts = timed(lambda jobs=jobs: write(model, jobs, encoder, NEW))
        seconds["ours"].append(used)
        with torch.inference_mode():
            used, made = timed(
                lambda: theirs.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                        max_new_tokens=NEW, pad_token_id=encoder.eos)
            )  # fmt: skip
        seconds["theirs"].append(used)
    expected = [encoder.decode(cut(row.tolist()[PROMPT:], encoder.eos)) for row in made]
    same = sum(a == b for a, b in zip(texts, expected, strict=True)) / rows
    count = sum(len(cut(row.tolist()[PROMPT:], encoder.eos)) for row in made)
    ours_rate, their_rate = (count / statistics.median(one) for one in seconds.values())
    return ours_rate, their_rate, same


def cut(ids: list[int], eos: int) -> list[int]:
    """The ids before the end of text."""
    return ids[: ids.index(eos)] if eos in ids else ids


def main() -> None:
    """Measure in turns, print."""
    sys.path.insert(0, str(ROOT))
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    from lm_eval.models.huggingface import HFLM

    source, listed = items()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint(folder, [" ".join(pair) for setting in listed.values() for item in setting
                            for pair in item])  # fmt: skip
        theirs = HFLM(pretrained=str(folder), tokenizer=str(folder), dtype="float32",
                      batch_size=32, device="cpu")  # fmt: skip
        print(f"items: {source}; 4 layers of width 256, fp32, one thread, batches of 32")
        print(f"{'requests per CPU-second':<26}{'ours':>9}{'HFLM':>9}{'ratio':>8}{'max dlogp':>11}"
              f"{'same choice':>13}")  # fmt: skip
        found: dict[str, tuple[float, float, float, float, float]] = {}
        for setting, rows in listed.items():
            found[setting] = multiple_choice(folder, theirs, rows)
            rate, hflm, ratio, worst, same = found[setting]
            print(f"{setting:<26}{rate:>9.0f}{hflm:>9.0f}{ratio:>8.2f}{worst:>11.1e}{same:>13.3f}",
                  flush=True)  # fmt: skip
        print(f"\n{'greedy tokens a CPU-second':<26}{'ours':>9}{'HF':>9}{'ratio':>8}"
              f"{'same text':>11}")  # fmt: skip
        ratios: dict[int, float] = {}
        equal: list[float] = []
        for rows in (1, 32):
            rate, hf, same = generation(folder, rows)
            ratios[rows] = rate / hf
            equal.append(same)
            print(f"{f'batch {rows}':<26}{rate:>9.0f}{hf:>9.0f}{ratios[rows]:>8.2f}{same:>11.3f}",
                  flush=True)  # fmt: skip
    result = {
        "ratio": round(found["zero-shot"][2], 2),
        "ratio_mmlu": round(found["two-shot"][2], 2),
        "max_dlogp": max(one[3] for one in found.values()),
        "same_choices": min(one[4] for one in found.values()),
        "generate_b1_ratio": round(ratios[1], 2),
        "generate_b32_ratio": round(ratios[32], 2),
        "same_tokens": min(equal),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
