"""The base of facts, and which combinations of them no textbook may contain."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HELD_OUT_IN = 6


@cache
def facts() -> dict[str, Any]:
    """All facts by kind."""
    text = Path(__file__).with_name("facts.yaml").read_text("utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def is_held_out(*parts: object) -> bool:
    """Whether a combination belongs to the micro-suites; a textbook must not state it."""
    text = "|".join(map(str, parts))
    return hashlib.sha256(text.encode()).digest()[0] % HELD_OUT_IN == 0
