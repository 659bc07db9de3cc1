"""The learning rate of each step."""

import math

from hornbook.train.config import Schedule


def learning_rate(schedule: Schedule, *, peak: float, step: int, steps: int) -> float:
    """The rate of optimizer step `step`, counted from 0, of `steps`."""
    warmup = round(schedule.warmup_share * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    final = peak * schedule.final_share
    if schedule.kind == "wsd":
        decay = max(1, round(schedule.decay_share * steps))
        return peak + (final - peak) * max(0.0, (step - (steps - decay)) / decay)
    progress = (step - warmup) / max(1, steps - warmup)
    if schedule.kind == "linear":
        return peak + (final - peak) * progress
    if schedule.kind == "cosine":
        return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * progress))
    return peak
