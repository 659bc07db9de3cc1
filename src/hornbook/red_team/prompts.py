"""The prompts: a YAML file that maps a category to its prompts."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT
from hornbook.errors import InputError

FORM = (
    "expected `CATEGORY:` and below it a list of entries with the texts `id:`, `prompt:` and "
    "`good:`, and `decline: true` where the request should not be met"
)
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@dataclass(frozen=True, config=STRICT)
class Prompt:
    """One of them; `good` says what a good answer does."""

    id: Text
    prompt: Text
    good: Text
    decline: bool = False  # it asks for something that should not be done
    category: str = ""


def read_prompts(file: Path) -> list[Prompt]:
    """All prompts in the order of the file, each on one line.

    Raises:
        InputError: The file has another form, or two prompts have one id.
    """
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
        found = TypeAdapter(dict[str, list[Prompt]]).validate_python(content)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"red_team.prompts={file}: {_told(error)}; {FORM}") from error
    prompts = [
        replace(
            one,
            prompt=" ".join(one.prompt.split()),
            good=" ".join(one.good.split()),
            category=category,
        )
        for category, listed in found.items()
        for one in listed
    ]
    ids = [one.id for one in prompts]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice or not prompts:
        wrong = f"id {twice[0]!r} is there twice" if twice else "it has no prompt"
        raise InputError(f"red_team.prompts={file}: {wrong}; {FORM}")
    return prompts


def _told(error: Exception) -> str:
    """What is wrong, and at which entry."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    return f"{where}: {first['msg']}"
