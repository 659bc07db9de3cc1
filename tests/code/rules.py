"""The conf of the laptop as rules, and a good file."""

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from hornbook.code.config import Corpus
from tests.made_run import conf

RULES = TypeAdapter(Corpus).validate_python(conf("code", "laptop")["corpus"])
GOOD = '"""Adds."""\n\n\ndef add(x, y):\n    return x + y\n'


def rules(**changed: Any) -> Corpus:
    return replace(RULES, **changed)
