"""Training steps on demand, of hornbook's loop or Hugging Face's Trainer, on the same draws.

python train_steps.py hornbook|huggingface float32|bfloat16 FOLDER

FOLDER has `artifacts` up to the mixture and `recipe.json`: model, train, vocab_size. For each
number on standard input that many steps are run; the answer is a line of JSON: CPU and wall seconds
of these steps, the loss of each of them, and the largest memory so far.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("src", "")]
os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}

VARIANT = "phi-1_5"


class Turns:
    """Steps that wait for their turn."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.left, self.started = 0, (0.0, 0.0)
        # what libraries print goes elsewhere
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def done(self) -> None:
        """A step ended: answer after the last one of a turn, then wait for the next turn."""
        self.left -= 1
        if self.left <= 0:
            cpu, wall = time.process_time() - self.started[0], time.monotonic() - self.started[1]
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            told = {"cpu": cpu, "wall": wall, "losses": self.losses, "rss_mb": memory}
            print(json.dumps(told), file=self.answers, flush=True)
            self.wait()

    def wait(self) -> None:
        """Read how many steps come next; none ends the process."""
        line = sys.stdin.readline()
        if not line.strip():
            os._exit(0)
        self.left, self.losses = int(line), []
        self.started = (time.process_time(), time.monotonic())


def hornbook(folder: Path, recipe: dict[str, Any], turns: Turns) -> None:
    """The stage `train` itself; its progress takes the turns."""
    from hornbook.train.engine import TorchEngine
    from hornbook.train.train import train
    from tests.made_run import made_run

    step = TorchEngine.step

    def noted(self: TorchEngine, *given: Any) -> Any:  # noqa: ANN401
        stepped = step(self, *given)
        turns.losses.append(sum(stepped.losses) / len(stepped.losses))
        return stepped

    TorchEngine.step = noted  # type: ignore[method-assign]

    @contextmanager
    def progress(*_: Any, **__: Any) -> Generator[Any]:  # noqa: ANN401
        turns.wait()
        yield SimpleNamespace(advance=turns.done, note=lambda _text: None)

    reads = [str(path.relative_to(folder)) for path in (folder / "artifacts").glob("*/*")]
    reads += [str(path.relative_to(folder)) for path in (folder / "artifacts").glob("*/*/*")]
    name = f"train@{VARIANT}"
    place = folder / ".own" / str(os.getpid())
    place.mkdir(parents=True)
    (place / "artifacts").symlink_to(folder / "artifacts")
    run = made_run(
        place, name, reads=reads, params={key: recipe[key] for key in ("model", "train")}
    )
    run.progress = progress  # type: ignore[method-assign]
    run.log = lambda _text: None  # type: ignore[method-assign]
    train(run)


def huggingface(folder: Path, recipe: dict[str, Any], turns: Turns) -> None:
    """`Trainer` and `PhiForCausalLM` with the same initial weights, rates, decay and clipping."""
    import torch
    import transformers

    from hornbook.mixture.sampler import Sampler
    from hornbook.model.checkpoint import save_model
    from hornbook.model.config import Model
    from hornbook.model.phi import Phi
    from hornbook.train.config import Schedule
    from hornbook.train.schedule import learning_rate

    transformers.logging.set_verbosity_error()
    shape, given = Model(**recipe["model"]), recipe["train"]
    torch.set_num_threads(given["threads"])
    initial = Phi(shape, vocab_size=recipe["vocab_size"], attention="sdpa")
    initial.initialise(given["seed"])
    weights = folder / ".own" / str(os.getpid())
    save_model(initial, weights, eos_token_id=None)
    model = transformers.PhiForCausalLM.from_pretrained(weights, dtype=torch.float32)
    mixture = folder / "artifacts" / "mixture" / VARIANT
    corpora = [
        one["corpus"] for one in json.loads((mixture / "mixture.json").read_text())["sources"]
    ]
    folders = {corpus: folder / "artifacts" / "tokens" / corpus for corpus in corpora}
    sampler = Sampler(mixture, folders, context_tokens=shape.context_tokens, seed=given["seed"])
    steps, sequences, optim = recipe["steps"], given["batch_sequences"], given["optim"]

    class Sequences(torch.utils.data.Dataset):
        """Sequence by sequence what the sampler draws."""

        def __len__(self) -> int:
            return steps * sequences

        def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
            step, row = divmod(number, sequences)
            ids = torch.from_numpy(sampler.batch(step, sequences, slice(row, row + 1)))[0]
            return {"input_ids": ids[:-1], "labels": ids[:-1], "shift_labels": ids[1:]}

    class Noted(transformers.Trainer):
        """Notes losses without converting them before they are asked for."""

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401
            loss = model(**inputs).loss
            turns.losses.append(loss.detach())
            return loss

    class Waits(transformers.TrainerCallback):
        """A turn ends where a step of the optimizer does."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
            turns.wait()

        def on_step_end(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
            if turns.left == 1:
                turns.losses = [float(loss) for loss in turns.losses]
            turns.done()

    parameters = list(model.parameters())
    adam = torch.optim.AdamW(
        [
            {
                "params": [p for p in parameters if p.dim() > 1],
                "weight_decay": optim["weight_decay"],
            },
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ],
        lr=optim["lr"],
        betas=tuple(optim["betas"]),
        eps=optim["eps"],
        fused=True,
    )
    schedule = Schedule(**given["schedule"])
    rates = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda step: learning_rate(schedule, peak=1.0, step=step, steps=steps)
    )
    arguments = transformers.TrainingArguments(
        output_dir=str(weights),
        per_device_train_batch_size=given["micro_sequences"],
        gradient_accumulation_steps=sequences // given["micro_sequences"],
        max_steps=steps,
        max_grad_norm=optim["clip_norm"],
        bf16=given["dtype"] == "bfloat16",
        use_cpu=True,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,
    )
    Noted(
        model=model,
        args=arguments,
        train_dataset=Sequences(),
        optimizers=(adam, rates),
        callbacks=[Waits()],
    ).train()


if __name__ == "__main__":
    root = Path(sys.argv[3])
    wanted = json.loads((root / "recipe.json").read_text("utf-8"))
    wanted["train"]["dtype"] = sys.argv[2]
    {"hornbook": hornbook, "huggingface": huggingface}[sys.argv[1]](root, wanted, Turns())
