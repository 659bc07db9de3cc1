"""Training beside Hugging Face's Trainer: the same weights, draws, rates and optimizer.

Corpora: books of the embedded teacher and Python's own library, through the stages of the
tokenizer, the tokens and the mixture. One thread each, in turns of some steps. Prints tables and,
as the last line, one JSON object; ratios are tokens per CPU-second:
ratio_fp32         the laptop preset (bf16 with fp32 masters) over Trainer in fp32
ratio_bf16         over Trainer with bf16=True
loss_delta         our loss less that of Trainer with bf16=True, last 100 of the 500 steps
loss_delta_fp32    likewise, of Trainer in fp32
long_ratio_bf16    width 512, context 1,024, over Trainer with bf16=True
long_loss_delta    our loss less that of Trainer with bf16=True there, over all steps
two_at_once        rate of each of two trainings side by side on two cores, over one alone (wall)
"""

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from peer import HERE, PEERS

sys.path.insert(0, str(HERE.parent))
from hornbook.artifacts import write_documents, write_json
from hornbook.mixture.mixture import mixture
from hornbook.teacher.domains import WRITERS
from hornbook.teacher.passages import OPENINGS, STYLES, write
from hornbook.tokens.tokenizer import tokenizer
from hornbook.tokens.tokens import tokens
from hornbook.train.resolve import resolve
from tests.made_run import conf, made_run

VARIANT = "phi-1_5"
CLEAN = "artifacts/clean/decontaminated"
STEPS, TURN = 500, 25
LONG_STEPS, LONG_TURN = 40, 5
BOOKS, CODE_CHARACTERS = 6000, 3_000_000
LONG = {"layers": 4, "width": 512, "heads": 8, "rotary_channels": 32, "mlp_width": 2048,
        "context_tokens": 1024}  # fmt: skip
Told = dict[str, Any]


class Contestant:
    """A process that trains when it is told to."""

    def __init__(self, name: str, dtype: str, folder: Path) -> None:
        script = str(PEERS / "train_steps.py")
        self.process = subprocess.Popen(
            [sys.executable, script, name, dtype, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.turns: list[Told] = []

    def start(self, steps: int) -> None:
        """Have it run some steps."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()

    def told(self) -> Told:
        """What it says of the steps it was started with."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a training ended before its time; its error is above")
        self.turns.append(json.loads(line))
        return self.turns[-1]

    def end(self) -> None:
        """Close it."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.close()
        self.process.wait()


def documents() -> dict[str, Iterator[dict[str, str]]]:
    """Books of every domain, style and audience in turn; source files of the library."""

    def books() -> Iterator[dict[str, str]]:
        domains, styles, readers = sorted(WRITERS), sorted(STYLES), sorted(OPENINGS)
        for n in range(BOOKS):
            fields = {
                "domain": domains[n % len(domains)],
                "topic": domains[n % len(domains)],
                "style": styles[n % len(styles)],
                "audience": readers[n % len(readers)],
                "variation": str(n),
            }
            yield {"id": f"book-{n}", "text": write(fields, 0), "source": "book",
                   "domain": fields["domain"]}  # fmt: skip

    def code() -> Iterator[dict[str, str]]:
        left = CODE_CHARACTERS
        for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
            text = file.read_text("utf-8", "replace")
            if left > 0 and text:
                left -= len(text)
                yield {"id": file.name, "text": text, "source": file.name, "kind": "file"}

    return {"books": books(), "code": code()}


def make_data(folder: Path) -> int:
    """Artifacts up to the mixture; the size of the vocabulary."""
    for corpus, rows in documents().items():
        write_documents(folder / CLEAN / corpus, rows)
    data = {"tokens": conf("tokens", "laptop"), "mixture": conf("mixture", "laptop")}
    variant = data["mixture"]["variants"][VARIANT]
    variant["max_epochs"] = 100.0
    reads = [f"{CLEAN}/{corpus}" for corpus in ("books", "code")]
    tokens_of = [f"artifacts/tokens/{corpus}" for corpus in ("books", "code")]
    stage(tokenizer, folder, "tokenizer", reads, data, "tokens/tokenizer")
    for corpus in ("books", "code"):
        stage(tokens, folder, f"tokens@{corpus}", [*reads, "artifacts/tokens/tokenizer"], data,
              f"tokens/{corpus}")  # fmt: skip
    stage(mixture, folder, f"mixture@{VARIANT}", tokens_of, data, f"mixture/{VARIANT}")
    return data["tokens"]["tokenizer"]["vocab_size"]


def stage(function: Any, folder: Path, name: str, reads: list[str], data: Told, out: str) -> None:  # noqa: ANN401
    """Run one stage and put its output where the next one looks for it."""
    with redirect_stdout(sys.stderr):
        run = made_run(folder, name, reads=reads, params=data)
        function(run)
    target = folder / "artifacts" / out
    target.parent.mkdir(parents=True, exist_ok=True)
    run.out.rename(target)


def recipe(folder: Path, vocab_size: int, *, steps: int, model: Told, train: Told) -> None:
    """Write what the contestants train; the budget in the mixture is that of the steps."""
    file = folder / "artifacts" / "mixture" / VARIANT / "mixture.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["budget_tokens"] = steps * train["batch_sequences"] * model["context_tokens"]
    write_json(file, manifest)
    values = {"model": model, "train": train, "vocab_size": vocab_size, "steps": steps}
    write_json(folder / "recipe.json", values)


def race(
    folder: Path, runners: dict[str, tuple[str, str]], steps: int, turn: int
) -> dict[str, Contestant]:
    """All run `steps` steps, some of each in turn: the machine's mood hits all alike."""
    running = {name: Contestant(*how, folder) for name, how in runners.items()}
    for _ in range(steps // turn):
        for contestant in running.values():
            contestant.start(turn)
            contestant.told()
    for contestant in running.values():
        contestant.end()
    return running


def rate(contestant: Contestant, tokens: int, turn: int, clock: str = "cpu") -> float:
    """Tokens a second, the median turn; the first warms up."""
    return statistics.median(turn * tokens / one[clock] for one in contestant.turns[1:])


def mean_loss(contestant: Contestant, last: int) -> float:
    """Of the last steps."""
    losses = [loss for one in contestant.turns for loss in one["losses"]]
    return statistics.fmean(losses[-last:])


def table(found: dict[str, Contestant], tokens: int, turn: int, last: int) -> None:
    """Print a line for each contestant."""
    ours = rate(next(iter(found.values())), tokens, turn)
    print(f"{'':<34}{'tokens/cpu-s':>13}{'tokens/s':>10}{'spread':>8}{'ours/it':>9}"
          f"{'loss':>8}{'MB':>7}")  # fmt: skip
    for name, one in found.items():
        rates = sorted(turn * tokens / turned["cpu"] for turned in one.turns[1:])
        spread = (rates[-1] - rates[0]) / rate(one, tokens, turn)
        print(
            f"{name:<34}{rate(one, tokens, turn):>13,.0f}{rate(one, tokens, turn, 'wall'):>10,.0f}"
            f"{spread:>8.0%}{ours / rate(one, tokens, turn):>9.2f}{mean_loss(one, last):>8.4f}"
            f"{one.turns[-1]['rss_mb']:>7.0f}"
        )


def two_at_once(folder: Path, turns: int = 4, turn: int = 40) -> float:
    """The slower one's rate beside another, over its rate alone; in turns, wall time."""
    pair = [Contestant("hornbook", "bfloat16", folder) for _ in range(2)]
    for one in pair:
        one.start(turn)
        one.told()
    shares: list[float] = []
    for _ in range(turns):
        alone: list[float] = []
        for one in pair:
            one.start(turn)
            alone.append(one.told()["wall"])
        for one in pair:
            one.start(turn)
        both = [one.told()["wall"] for one in pair]
        shares.append(min(a / b for a, b in zip(alone, both, strict=True)))
    for one in pair:
        one.end()
    return statistics.median(shares)


def main() -> None:
    """Measure, print."""
    print(f"torch {version('torch')}, transformers {version('transformers')}, "
          f"accelerate {version('accelerate')}; one thread each")  # fmt: skip
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocab_size = make_data(folder)
        model = conf("model", "laptop")
        train = resolve(conf("train", "laptop"), context_tokens=model["context_tokens"])
        recipe(folder, vocab_size, steps=STEPS, model=model, train=train)
        tokens = train["batch_sequences"] * model["context_tokens"]
        found = race(
            folder,
            {
                "hornbook, laptop preset": ("hornbook", "bfloat16"),
                "Trainer, fp32": ("huggingface", "float32"),
                "Trainer, bf16=True": ("huggingface", "bfloat16"),
            },
            STEPS,
            TURN,
        )
        print(f"\nscale=laptop, {STEPS} steps of {tokens:,} tokens; loss of the last 100")
        table(found, tokens, TURN, 100)
        ours, fp32, bf16 = found.values()
        result["ratio_fp32"] = rate(ours, tokens, TURN) / rate(fp32, tokens, TURN)
        result["ratio_bf16"] = rate(ours, tokens, TURN) / rate(bf16, tokens, TURN)
        result["loss_delta"] = mean_loss(ours, 100) - mean_loss(bf16, 100)
        result["loss_delta_fp32"] = mean_loss(ours, 100) - mean_loss(fp32, 100)
        share = two_at_once(folder)
        print(f"two at once on {os.cpu_count()} cores: each at {share:.2f} of its rate alone")

        long = {**model, **LONG, "init_std": 0.04}
        given = {**train, "attention": "explicit", "batch_sequences": 2, "micro_sequences": 2}
        recipe(folder, vocab_size, steps=LONG_STEPS, model=long, train=given)
        found = race(
            folder,
            {
                "hornbook, bf16": ("hornbook", "bfloat16"),
                "Trainer, bf16=True": ("huggingface", "bfloat16"),
            },
            LONG_STEPS,
            LONG_TURN,
        )
        print(f"\nwidth 512, context 1,024, 4 layers, {LONG_STEPS} steps of 2,048 tokens")
        table(found, 2048, LONG_TURN, LONG_STEPS)
        ours, bf16 = found.values()
        result["long_ratio_bf16"] = rate(ours, 2048, LONG_TURN) / rate(bf16, 2048, LONG_TURN)
        result["long_loss_delta"] = mean_loss(ours, LONG_STEPS) - mean_loss(bf16, LONG_STEPS)
    result["two_at_once"] = share
    print(json.dumps({key: round(value, 4) for key, value in result.items()}))


def version(package: str) -> str:
    """The installed version of a package."""
    from importlib.metadata import version

    return version(package)


if __name__ == "__main__":
    main()
