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

    transformers.logging.set_verbosity_error()
    given, optim = recipe["train"], recipe["train"]["optim"]
    torch.set_num_threads(given["threads"])
    weights = folder / ".own" / str(os.getpid())
    model = initial(weights, recipe)

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

    arguments = transformers.TrainingArguments(
        output_dir=str(weights),
        per_device_train_batch_size=given["micro_sequences"],
        gradient_accumulation_steps=given["batch_sequences"] // given["micro_sequences"],
        max_steps=recipe["steps"],
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
        train_dataset=drawn(folder, recipe),
        optimizers=optimizer(model, recipe),
        callbacks=[Waits()],
    ).train()


def initial(weights: Path, recipe: dict[str, Any]) -> Any:  # noqa: ANN401 - a class of transformers
    """Transformers' model with the weights that ours starts from."""
    import torch
    import transformers

    from hornbook.model.checkpoint import save_model
    from hornbook.model.config import Model
    from hornbook.model.phi import Phi

    ours = Phi(Model(**recipe["model"]), vocab_size=recipe["vocab_size"], attention="sdpa")
    ours.initialise(recipe["train"]["seed"])
    save_model(ours, weights, eos_token_id=None)
    return transformers.PhiForCausalLM.from_pretrained(weights, dtype=torch.float32)


def drawn(folder: Path, recipe: dict[str, Any]) -> Any:  # noqa: ANN401 - a class made here
    """Sequence by sequence what our sampler draws."""
    import torch

    from hornbook.mixture.sampler import Sampler

    mixture = folder / "artifacts" / "mixture" / VARIANT
    sources = json.loads((mixture / "mixture.json").read_text())["sources"]
    folders = {one["corpus"]: folder / "artifacts" / "tokens" / one["corpus"] for one in sources}
    context, seed = recipe["model"]["context_tokens"], recipe["train"]["seed"]
    sampler = Sampler(mixture, folders, context_tokens=context, seed=seed)
    steps, sequences = recipe["steps"], recipe["train"]["batch_sequences"]

    class Sequences(torch.utils.data.Dataset):
        """By their number in the run."""

        def __len__(self) -> int:
            return steps * sequences

        def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
            step, row = divmod(number, sequences)
            ids = torch.from_numpy(sampler.batch(step, sequences, slice(row, row + 1)))[0]
            return {"input_ids": ids[:-1], "labels": ids[:-1], "shift_labels": ids[1:]}

    return Sequences()


def optimizer(model: Any, recipe: dict[str, Any]) -> tuple[Any, Any]:  # noqa: ANN401
    """AdamW with our decay, and our learning rates."""
    import torch

    from hornbook.train.config import Schedule
    from hornbook.train.schedule import learning_rate

    optim, steps = recipe["train"]["optim"], recipe["steps"]
    parameters = list(model.parameters())
    matrices = [one for one in parameters if one.dim() > 1]
    vectors = [one for one in parameters if one.dim() == 1]
    adam = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": optim["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=optim["lr"],
        betas=tuple(optim["betas"]),
        eps=optim["eps"],
        fused=True,
    )
    schedule = Schedule(**recipe["train"]["schedule"])
    rates = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda step: learning_rate(schedule, peak=1.0, step=step, steps=steps)
    )
    return adam, rates


if __name__ == "__main__":
    root = Path(sys.argv[3])
    wanted = json.loads((root / "recipe.json").read_text("utf-8"))
    wanted["train"]["dtype"] = sys.argv[2]
    {"hornbook": hornbook, "huggingface": huggingface}[sys.argv[1]](root, wanted, Turns())
