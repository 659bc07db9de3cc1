"""Tables of what was measured on a GPU, and the JSON object below them."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hornbook.model.config import Model
from hornbook.plan.arithmetic import flops_per_token
from hornbook.plan.devices import find_device

CONF = Path(__file__).resolve().parents[2] / "conf" / "model"
SMOOTHED = 20  # steps
Row = dict[str, Any]


def smoothed(losses: list[float]) -> "np.ndarray[Any, Any]":
    """Running means."""
    return np.convolve(losses, np.ones(SMOOTHED) / SMOOTHED, mode="valid")


def gaps(rows: list[Row]) -> dict[str, float]:
    """The largest distance of each curve from the first one, after smoothing."""
    first, *others = rows
    return {
        row["who"]: round(
            float(np.abs(smoothed(row["losses"]) - smoothed(first["losses"])).max()), 4
        )
        for row in others
        if "losses" in row and "losses" in first
    }


def report(common: Row, found: dict[str, Any]) -> tuple[list[str], Row]:
    """Tables, and what the last line says."""
    shape = Model(**yaml.safe_load((CONF / f"{common['model']}.yaml").read_text("utf-8")))
    each = flops_per_token(shape, common["vocab_size"])["causal"]
    peak, device = found["peak"]["flops"], found["peak"]["device"]
    sheet = find_device(device)
    sheet_peak = sheet.peaks["bfloat16"] if sheet else None
    torch, attention = found["peak"]["torch"], common["attention"]
    told = [
        f"{device}, torch {torch}, {attention} attention, bf16; peak {peak / 1e12:,.4g} TFLOP/s",
        f"{'':<26}{'compile':>8}{'recompute':>11}{'micro':>7}{'tokens/s':>12}{'MFU':>8}{'GiB':>8}",
    ]
    result: Row = {"device": device, "matmul_peak_tflops": round(peak / 1e12, 1)}
    for part in ("speed", "peer"):
        for row in found.get(part, []):
            set_to = f"{row['compile']!s:>8}{row['checkpointing']!s:>11}{row['micro']:>7}"
            head = f"{row['who']:<26}{set_to}"
            if "failed" in row:
                told.append(f"{head}  {row['failed']}")
                continue
            rate = row["tokens_per_second"]
            told.append(f"{head}{rate:>12,.0f}{rate * each / peak:>8.1%}{row['memory_gib']:>8.1f}")
    best, other = (fastest(found.get(part, [])) for part in ("speed", "peer"))
    if best:
        rate = best["tokens_per_second"]
        names = ("who", "compile", "checkpointing", "micro")
        result |= {
            "mfu": round(rate * each / peak, 4),
            "mfu_sheet": round(rate * each / sheet_peak, 4) if sheet_peak else None,
            "tokens_per_second": round(rate, 1),
            "memory_gib": round(best["memory_gib"], 2),
            "best": {name: best[name] for name in names},
            "ratio_hf": round(rate / other["tokens_per_second"], 3) if other else None,
        }
    told += curve_lines(found.get("curves", []))
    if found.get("curves"):
        result["curve_gap"] = gaps(found["curves"])
    return told, result


def fastest(rows: list[Row]) -> Row | None:
    """The run with most tokens a second."""
    done = [row for row in rows if "failed" not in row]
    return max(done, key=lambda row: row["tokens_per_second"], default=None)


def curve_lines(rows: list[Row]) -> list[str]:
    """Losses of each engine at a few steps."""
    done = [row for row in rows if "losses" in row]
    failed = [f"{row['who']}: {row['failed']}" for row in rows if "failed" in row]
    if not done:
        return failed
    steps = len(done[0]["losses"])
    marks = sorted({min(steps, mark) for mark in (1, steps // 4, steps // 2, steps) if mark})
    head = [f"loss of {steps} steps on text, {done[0]['tokens_per_second']:,.0f} tokens/s"]
    head.append(f"{'':<26}" + "".join(f"{f'step {mark}':>12}" for mark in marks))
    rows_of = [f"{row['who']:<26}" + "".join(f"{row['losses'][mark - 1]:>12.4f}" for mark in marks)
               for row in done]  # fmt: skip
    return [*head, *rows_of, *failed]
