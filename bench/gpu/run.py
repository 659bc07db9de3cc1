"""Training on one GPU: our engines beside Hugging Face's Trainer, and loss curves of both engines.

bash bench/gpu.sh [--parts speed,peer,curves] [--dry-run] [--out FOLDER]

speed   phi-1.5's 1.3B at context 2,048 in bf16: with and without torch.compile and activation
        checkpointing, several micro batches, torch engine and DeepSpeed
peer    Trainer and PhiForCausalLM of that shape with the same attention, likewise
curves  the 350M shape for some minutes on text: torch engine, compiled, and DeepSpeed

Each call measures its parts anew; parts that an earlier call measured into FOLDER are shown with
them. Prints tables and, as the last line, one JSON object:
mfu              best of ours: causal arithmetic over the measured matmul peak; mfu_sheet likewise,
                 over the data sheet's where the device has one
tokens_per_second, memory_gib, best   of that run, and its settings
ratio_hf         its tokens/s over the best of Trainer's
curve_gap        largest difference of smoothed losses from the torch engine, nats, by engine
A dry run takes every path at a size for a CPU; its figures mean nothing.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from tables import Row, report
from text import VOCABULARY, write_tokens

from hornbook.artifacts import read_json, write_json

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
PARTS = ("speed", "peer", "curves")
# name, engine, compile, checkpointing, micro batch
OURS = (
    ("torch", "torch", False, False, 4),
    ("torch", "torch", False, False, 8),
    ("torch", "torch", True, False, 4),
    ("torch", "torch", True, False, 8),
    ("torch", "torch", True, False, 16),
    ("torch", "torch", True, True, 16),
    ("deepspeed", "deepspeed", False, False, 8),
    ("deepspeed", "deepspeed", True, False, 8),
)
# weights in bf16 or fp32 under autocast, compile, checkpointing, micro batch
PEERS = (
    (False, False, False, 4),
    (False, True, False, 4),
    (True, False, False, 4),
    (True, True, False, 4),
    (True, True, False, 8),
)
CURVES = (("torch", "torch", False), ("torch, compiled", "torch", True),
          ("deepspeed", "deepspeed", False))  # fmt: skip


class Bench:
    """What all measurements share, and where they are kept."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder = Path(options.out).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.is_dry, self.minutes = options.dry_run, options.curve_minutes
        self.device = "cpu" if self.is_dry else "cuda"
        flash = importlib.util.find_spec("flash_attn") is not None
        self.common: Row = {
            "folder": str(self.folder),
            "device": self.device,
            "attention": "flash" if flash and not self.is_dry else "sdpa",
            "threads": 1 if self.is_dry else 8,
            "vocab_size": VOCABULARY if self.is_dry else 51200,
            "passes": 2 if self.is_dry else 4,
            "engine": "torch",
            "compile": False,
            "checkpointing": False,
            "micro": 1,
            "lr": 2e-4,
            "warm_steps": 1 if self.is_dry else 3,
            "steps": 3 if self.is_dry else 10,
            "model": "smoke" if self.is_dry else "phi-1_5",
        }

    def measure(self, kind: str, **changes: Any) -> Row:  # noqa: ANN401 - of the specification
        """One measurement in a process of its own; `failed` says why there is none."""
        spec = {**self.common, "kind": kind, **changes}
        if self.is_dry:
            spec["micro"] = min(spec["micro"], 2)
        asked = [sys.executable, str(HERE / "measure.py"), json.dumps(spec)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment())
        if done.returncode:
            (self.folder / "failed.log").write_text(done.stderr, encoding="utf-8")
            is_full = "OutOfMemory" in done.stderr or "ran out" in done.stderr
            return {"failed": "out of memory" if is_full else reason(done.stderr)}
        return json.loads(done.stdout.splitlines()[-1])


def reason(stderr: str) -> str:
    """The line of a traceback that names the error."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if "Error: " in line]
    return [*lines, "no message", *named[-1:]][-1][:300]


def environment() -> dict[str, str]:
    """Of a measurement: no network, and memory in pieces that grow."""
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return os.environ | quiet | {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


def speed(bench: Bench) -> list[Row]:
    """Ours, one configuration after the other."""
    rows: list[Row] = []
    for name, engine, is_compiled, is_checkpointing, micro in OURS:
        row = {"who": f"hornbook, {name}", "compile": is_compiled,
               "checkpointing": is_checkpointing, "micro": micro}  # fmt: skip
        rows.append(row | bench.measure("ours", engine=engine, compile=is_compiled,
                                        checkpointing=is_checkpointing, micro=micro))  # fmt: skip
        say(rows[-1])
    return rows


def peer(bench: Bench) -> list[Row]:
    """Trainer, one configuration after the other."""
    rows: list[Row] = []
    for is_pure, is_compiled, is_checkpointing, micro in PEERS:
        weights = "bf16 weights" if is_pure else "autocast"
        row = {"who": f"Trainer, {weights}", "compile": is_compiled,
               "checkpointing": is_checkpointing, "micro": micro}  # fmt: skip
        rows.append(row | bench.measure("huggingface", is_pure=is_pure, compile=is_compiled,
                                        checkpointing=is_checkpointing, micro=micro))  # fmt: skip
        say(rows[-1])
    return rows


def curves(bench: Bench) -> list[Row]:
    """The same text, weights and rates through each engine."""
    text = bench.folder / "tokens.npy"
    if not text.exists():
        write_tokens(text, 200_000 if bench.is_dry else 20_000_000)
    sizes: Row = {"text": str(text), "warmup": 20, "lr": 6e-4, "passes": 2, "warm_steps": 1}
    sizes |= {"micro": 2, "steps": 30} if bench.is_dry else {"micro": 16, "model": "phi-1-small"}
    if not bench.is_dry:
        probe = bench.measure("ours", **sizes, steps=5)
        if "failed" in probe:
            return [{"who": "torch", **probe}]
        sizes["steps"] = max(60, int(bench.minutes * 60 / probe["step_seconds"]))
    rows: list[Row] = []
    for name, engine, is_compiled in CURVES:
        row = {"who": name, "compile": is_compiled, "checkpointing": False, "micro": sizes["micro"]}
        rows.append(row | bench.measure("ours", **sizes, engine=engine, compile=is_compiled))
        say(rows[-1])
    return rows


def say(row: Row) -> None:
    """One line as soon as it is known."""
    found = row.get("failed") or f"{row['tokens_per_second']:,.0f} tokens/s"
    print(f"  {row['who']}, compile {row['compile']}, micro {row['micro']}: {found}",
          file=sys.stderr, flush=True)  # fmt: skip


def main() -> None:
    """Measure what is asked for, print, and keep."""
    parser = argparse.ArgumentParser(
        "bash bench/gpu.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="some of %(default)s")
    parser.add_argument("--out", default=str(HERE.parent / ".gpu"), help="default: bench/.gpu")
    parser.add_argument("--curve-minutes", type=float, default=3.0, help="for each curve")
    parser.add_argument("--dry-run", action="store_true", help="every path, on a CPU, small")
    options = parser.parse_args()
    asked = options.parts.split(",")
    if unknown := sorted(set(asked) - set(PARTS)):
        parser.error(f"--parts: no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if not options.dry_run and not torch.cuda.is_available():
        parser.error("torch finds no GPU here; --dry-run takes every path on a CPU")
    bench = Bench(options)
    file = bench.folder / ("dry.json" if bench.is_dry else "gpu.json")
    found: dict[str, Any] = read_json(file) if file.exists() else {}
    found["peak"] = bench.measure("peak")
    if "failed" in found["peak"]:
        raise SystemExit(f"the device cannot be measured: {found['peak']['failed']}")
    for part in asked:
        print(part, file=sys.stderr, flush=True)
        found[part] = {"speed": speed, "peer": peer, "curves": curves}[part](bench)
        write_json(file, found)
    told, result = report(bench.common, found)
    text = "\n".join([*told, json.dumps(result)])
    print(text)
    if not bench.is_dry:
        from every import write_section

        write_section("gpu", f"`bash bench/gpu.sh`\n\n{text}")


if __name__ == "__main__":
    main()
