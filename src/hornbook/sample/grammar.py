"""A small text grammar: sections of alternatives, drawn without repeating one on the same page.

In `bank/*.txt` a section `[name]` lists one alternative a line, `[name,]` a comma-separated list.
In an alternative `$name` draws from a section and `$^name` capitalises what it drew, `$name.x` is
the same draw wherever a page writes it, `<a|b>` is one of the parts, `<3..40>` a whole number.
"""

import random
import re
from functools import cache
from pathlib import Path

BANK = Path(__file__).with_name("bank")
Sections = dict[str, tuple[str, ...]]
CHOICE = re.compile(r"<([^<>]*)>")
DRAW = re.compile(r"\$(\^?)([a-z]+(?:\.[a-z]+)?)")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
SENTENCE_START = re.compile(r"((?:^|[.!?] )\"?)([a-z])")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou](?!u|ne\b|nce\b|ni))")


def sections(text: str) -> Sections:
    """The sections of a bank file, in its order."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if not line or line.startswith("# "):
            continue
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1]
            found[name] = []
        elif name.endswith(","):
            found[name] += [word.strip() for word in line.split(",") if word.strip()]
        else:
            found[name].append(line)
    return {name.rstrip(","): tuple(rows) for name, rows in found.items()}


@cache
def bank() -> Sections:
    """All sections of the package's bank files."""
    found: Sections = {}
    for file in sorted(BANK.glob("*.txt")):
        found |= sections(file.read_text("ascii"))
    return found


class Writer:
    """Draws the text of one page; `bound` holds what `$name.x` stands for on it."""

    def __init__(self, rng: random.Random, rules: Sections, bound: dict[str, str]) -> None:
        self.rng = rng
        self.rules = rules
        self.bound = dict(bound)
        self._drawn: dict[str, set[int]] = {}

    def draw(self, name: str) -> str:
        """An alternative of the section that this page has not used, expanded."""
        rows = self.rules[name]
        used = self._drawn.setdefault(name, set())
        if len(used) == len(rows):
            used.clear()
        at = self.rng.randrange(len(rows))
        while at in used:
            at = (at + 1) % len(rows)
        used.add(at)
        return self.expand(rows[at])

    def expand(self, text: str) -> str:
        """The text with its choices made and its names drawn."""
        while CHOICE.search(text):  # inner choices first
            text = CHOICE.sub(self._chosen, text)
        return DRAW.sub(self._named, text)

    def prose(self, text: str) -> str:
        """`expand`, with capitals where sentences begin and `an` before vowels."""
        written = SENTENCE_START.sub(lambda m: m[1] + m[2].upper(), self.expand(text))
        return ARTICLE.sub(r"\1n ", written)

    def _chosen(self, match: re.Match[str]) -> str:
        whole = RANGE.fullmatch(match[1])
        if whole:
            return str(self.rng.randint(int(whole[1]), int(whole[2])))
        return self.rng.choice(match[1].split("|"))

    def _named(self, match: re.Match[str]) -> str:
        capital, name = match.groups()
        if name in self.rules:
            word = self.draw(name)
        else:
            if name not in self.bound:
                self.bound[name] = self.draw(name.partition(".")[0])
            word = self.bound[name]
        return word[:1].upper() + word[1:] if capital else word
