"""How a number is written, the same in every rendering."""

import math
from collections.abc import Mapping
from typing import Any

ABSENT = "-"
NOT_RUN = "not run"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def paper_text(cell: Mapping[str, Any], unit: str) -> str:
    """A figure of the paper as it prints it; a question mark where it was not seen in text."""
    value = cell["value"]
    if value is None:
        return ABSENT
    shown = value if isinstance(value, str) else paper_number(value, unit)
    return shown if cell["verified"] else f"{shown}?"


def paper_number(value: float, unit: str) -> str:
    """A number in the unit of the paper's table."""
    if unit == "fraction":
        return f"{value:.3f}"
    if unit == "percent":
        return f"{value:.1f}"
    return amount(value)


def our_text(cell: Mapping[str, Any], unit: str) -> str:
    """Our score in the unit of the paper's table, with its standard error where it has one."""
    value = cell.get("value")
    if value is None:
        return ABSENT if unit == "mixed" else NOT_RUN
    if unit == "mixed":
        return amount(value)
    scale, digits = (100, 1) if unit == "percent" else (1, 3)
    shown = f"{value * scale:.{digits}f}"
    error = cell.get("stderr")
    return shown if error is None else f"{shown} {PLUS_MINUS} {error * scale:.{digits}f}"


def share(value: float | None) -> str:
    """A share in percent without decimals."""
    return ABSENT if value is None else f"{value:.0%}"


def fraction(value: float | None) -> str:
    """A fraction with two decimals."""
    return ABSENT if value is None else f"{value:.2f}"


def amount(value: float) -> str:
    """A count or quantity, large ones by thousand, million, billion or trillion."""
    if not math.isfinite(value):
        return str(value)
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "K")):
        if abs(value) >= size:
            unit = 1e3 if letter == "K" else size
            return f"{value / unit:.3g}{letter}"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.3g}"


def overlap_text(cell: Mapping[str, Any]) -> str:
    """Share of items whose n-grams the training text holds."""
    overlap = cell.get("overlap")
    return ABSENT if overlap is None else share(overlap["items"])


def clean_text(cell: Mapping[str, Any], unit: str) -> str:
    """The score over clean items, with their number; so few that it says little: said."""
    clean = cell.get("clean")
    if clean is None:
        return ABSENT
    if clean["value"] is None:
        return "no clean item"
    few = ", few" if clean["few"] else ""
    return f"{our_text(clean, unit)} (n={clean['items']:,}{few})"


def short(dvc_hash: str) -> str:
    """The head of a hash, as long as git shows one."""
    return dvc_hash[:7]


def task_name(task: str) -> str:
    """A task as a reader says it; that it is of a micro-suite stands above the table."""
    return task.removeprefix("micro_").replace("_", " ")


def model_text(facts: Mapping[str, Any]) -> str:
    """What a model that was not trained here is."""
    whence = f" ({facts['hub']})" if facts["hub"] else ""
    return (
        f"{facts['name']}{whence}: {facts['architecture']}, {amount(facts['parameters'])} "
        f"parameters, reads {facts['context_tokens']:,} tokens, computed by {facts['computed_by']}"
    )


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def interval_text(low: float | None, high: float | None) -> str:
    """The ends of an interval of a share; empty where there is none."""
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def p_text(value: float | None) -> str:
    """A p-value; below a thousandth only that it is."""
    if value is None:
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
