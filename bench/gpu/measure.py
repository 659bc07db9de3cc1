"""One measurement in a process of its own, which may run out of memory without harm to others.

python measure.py SPECIFICATION (JSON); prints JSON as its last line.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pydantic import TypeAdapter

from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.train.config import Train
from hornbook.train.engine import open_engine
from hornbook.train.hardware import device_name, matmul_peak, peak_memory_mib
from hornbook.train.ranks import joined

CONF = Path(__file__).resolve().parents[2] / "conf"
_DRY_BACKEND = "aot_eager"  # the graph is taken, without a compiler behind it
Spec = dict[str, Any]


def shape_of(spec: Spec) -> Model:
    """The shape, with a shorter context where the specification has one."""
    values = yaml.safe_load((CONF / "model" / f"{spec['model']}.yaml").read_text("utf-8"))
    return Model(**values)


def settings_of(spec: Spec) -> Train:
    """The paper's recipe with what is measured in place of its own."""
    values = yaml.safe_load((CONF / "train" / "phi-1_5.yaml").read_text("utf-8"))
    values |= {
        "batch_sequences": spec["micro"] * spec["passes"],
        "micro_sequences": spec["micro"],
        "ranks": 1,
        "device": spec["device"],
        "dtype": "bfloat16",
        "attention": spec["attention"],
        "threads": spec["threads"],
        "engine": spec["engine"],
        "compile": spec["compile"],
        "activation_checkpointing": spec["checkpointing"],
    }
    values["optim"] |= {"lr": spec["lr"], "clip_norm": 1.0}
    return TypeAdapter(Train).validate_python(values)


def peak(spec: Spec) -> Spec:
    """What the device does at most, and its name."""
    settings = settings_of(spec)
    flops = matmul_peak(settings, Path(spec["folder"]) / "machine.json")
    return {"device": device_name(settings), "flops": flops, "torch": torch.__version__}


def ours(spec: Spec) -> Spec:
    """Steps of an engine of ours on random tokens, or on text where the specification has one."""
    shape, settings = shape_of(spec), settings_of(spec)
    if spec["device"] == "cpu":  # torch 2.13 writes C++ for bf16 here that does not compile
        Phi.compile_blocks.__defaults__ = (_DRY_BACKEND,)
    with joined(settings) as ranks:
        engine = open_engine(shape, settings, vocab_size=spec["vocab_size"], ranks=ranks)
        losses: list[float] = []
        seconds: list[float] = []
        for step in range(spec["steps"]):
            ids = draw(spec, step, settings.batch_sequences, shape.context_tokens)
            started = time.perf_counter()
            stepped = engine.step(ids, rate(spec, step))
            seconds.append(time.perf_counter() - started)  # losses are numbers: it has ended
            losses.append(sum(stepped.losses) / len(stepped.losses))
        memory = peak_memory_mib(settings)
    return told(spec, seconds, losses, memory, settings.batch_sequences * shape.context_tokens)


def rate(spec: Spec, step: int) -> float:
    """The learning rate: a short warm-up, then constant."""
    return spec["lr"] * min(1.0, (step + 1) / spec.get("warmup", 1))


def draw(spec: Spec, step: int, sequences: int, context_tokens: int) -> np.ndarray:
    """The batch of a step."""
    if spec.get("text"):
        from text import batch

        return batch(np.load(spec["text"], mmap_mode="r"), step, sequences, context_tokens)
    rng = np.random.default_rng([3, step])
    return rng.integers(0, spec["vocab_size"], (sequences, context_tokens + 1))


def told(spec: Spec, seconds: list[float], losses: list[float], memory: float, tokens: int) -> Spec:
    """What was measured; the first steps compile, allocate and warm up."""
    after = seconds[spec["warm_steps"] :]
    return {
        "tokens_per_second": tokens / statistics.median(after),
        "step_seconds": statistics.median(after),
        "first_seconds": seconds[0],
        "memory_gib": memory / 1024,
        "losses": losses,
    }


def huggingface(spec: Spec) -> Spec:
    """Steps of transformers' Trainer with PhiForCausalLM, AdamW and the same attention."""
    import transformers

    transformers.logging.set_verbosity_error()
    settings, shape = settings_of(spec), shape_of(spec)
    model = peer_model(shape, spec)
    size, steps = settings.batch_sequences, spec["steps"]

    class Sequences(torch.utils.data.Dataset):
        """The same draws, sequence by sequence."""

        def __len__(self) -> int:
            return steps * size

        def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
            step, row = divmod(number, size)
            ids = torch.from_numpy(draw(spec, step, size, shape.context_tokens)[row, :-1])
            return {"input_ids": ids, "labels": ids}

    seconds: list[float] = []

    class Clock(transformers.TrainerCallback):
        """Seconds of each step of the optimizer."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
            self.started = now(spec)

        def on_step_end(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
            seconds.append(now(spec) - self.started)

    arguments = transformers.TrainingArguments(
        output_dir=str(Path(spec["folder"]) / "trainer"),
        per_device_train_batch_size=settings.micro_sequences,
        gradient_accumulation_steps=spec["passes"],
        max_steps=steps,
        bf16=True,
        use_cpu=spec["device"] == "cpu",
        optim="adamw_torch_fused",
        torch_compile=spec["compile"],
        torch_compile_backend=_DRY_BACKEND if spec["compile"] and spec["device"] == "cpu" else None,
        gradient_checkpointing=spec["checkpointing"],
        logging_strategy="steps",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,
    )
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=Sequences(), callbacks=[Clock()]
    )
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    tokens = size * shape.context_tokens
    return told(spec, seconds, losses, peak_memory_mib(settings), tokens)


def peer_model(shape: Model, spec: Spec) -> torch.nn.Module:
    """PhiForCausalLM of the same shape: fp32 weights under autocast, or bf16 ones."""
    import transformers

    config = transformers.PhiConfig(
        vocab_size=spec["vocab_size"],
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=shape.context_tokens,
        use_cache=False,
    )
    dtype = torch.bfloat16 if spec["is_pure"] else torch.float32
    attention = {"flash": "flash_attention_2", "explicit": "eager"}.get(spec["attention"], "sdpa")
    with torch.device(spec["device"]):
        return transformers.AutoModelForCausalLM.from_config(
            config, attn_implementation=attention, dtype=dtype
        )


def now(spec: Spec) -> float:
    """The time at which all that was asked of the device is done."""
    if spec["device"] == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    kinds = {"peak": peak, "ours": ours, "huggingface": huggingface}
    answer = kinds[asked["kind"]](asked)
    print(json.dumps(answer))
