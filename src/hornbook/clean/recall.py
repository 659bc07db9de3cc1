"""How many planted copies of benchmark items the search finds, and how many clean texts it flags.

Controls are made of two to four words at a time, each piece from an item of another benchmark than
the two before, without any n-gram of an item: near to the benchmarks, so that the rate can fail.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from random import Random
from typing import Any

from hornbook.clean.benchmark import texts_of
from hornbook.clean.config import Decontaminate
from hornbook.clean.overlap import KINDS, SHORT
from hornbook.clean.plants import PLANTS, edited, embedded, renamed
from hornbook.clean.search import Found, Search
from hornbook.clean.words import words
from hornbook.evaluate.texts import ItemTexts
from hornbook.seeds import stream

EDITED, PROGRAM, SHORT_KIND = "edited", "program", "short"
PLANTED = (*PLANTS, EDITED, PROGRAM, SHORT_KIND)
PIECE_WORDS = (2, 3, 4)
SENTENCE_WORDS = 12


@dataclass(frozen=True)
class Recall:
    """Rows of benchmark, kind, planted and found copies; controls and how many were flagged."""

    rows: list[dict[str, Any]]
    controls: int
    flagged: int

    @property
    def false_positive_rate(self) -> float:
        """Share of the controls that were flagged."""
        return self.flagged / self.controls

    def of(self, kind: str) -> float | None:
        """Recall of a kind over all benchmarks."""
        chosen = [row for row in self.rows if row["kind"] == kind]
        planted = sum(row["planted"] for row in chosen)
        return sum(row["found"] for row in chosen) / planted if planted else None


def measure(items: Sequence[ItemTexts], search: Search, settings: Decontaminate) -> Recall:
    """Plant, look, count."""
    controls = clean_texts(items, search, settings)
    ordered = sorted(items, key=lambda one: (one.benchmark, one.item_id))
    rows: list[dict[str, Any]] = []
    numbered = enumerate(ordered)
    for benchmark, group in groupby(numbered, key=lambda one: one[1].benchmark):
        members = list(group)
        for kind in PLANTED:
            draw = _random(settings.recall.seed, benchmark, kind)
            plants = _plants(kind, members, search, settings, controls, draw)
            if plants:
                found = search([text for _, text in plants])
                hit = sum(
                    _is_found(one, item, kind) for (item, _), one in zip(plants, found, strict=True)
                )
                row = {"benchmark": benchmark, "kind": kind, "planted": len(plants), "found": hit}
                rows.append(row)
    flagged = sum(is_flagged(one) for one in search(controls))
    return Recall(rows, len(controls), flagged)


def _random(seed: int, *names: str) -> Random:
    return Random(int(stream(seed, *names).integers(2**63)))  # noqa: S311 - no secret


def is_flagged(found: Found) -> bool:
    """It holds an item by more than the whole text of a short one."""
    return any(hit.kind != KINDS[SHORT] for hit in found.hits)


def _is_found(found: Found, item: int, kind: str) -> bool:
    kinds = {hit.kind for hit in found.hits if hit.item == item}
    return bool(kinds) if kind == SHORT_KIND else bool(kinds - {KINDS[SHORT]})


def _plants(
    kind: str,
    members: Sequence[tuple[int, ItemTexts]],
    search: Search,
    settings: Decontaminate,
    controls: Sequence[str],
    draw: Random,
) -> list[tuple[int, str]]:
    """(item, document) of each planted copy; of items that cannot be looked for there is none."""
    made: list[tuple[int, str]] = []
    for number, item in draw.sample(list(members), len(members)):
        if len(made) == settings.recall.items:
            break
        host = draw.choice(controls).split()
        if kind == PROGRAM:
            source = renamed(item.program, draw) if number in search.programs.items else None
            text = None if source is None else f"{' '.join(host[:60])}\n\n{source}\n"
        else:
            listed = _texts(kind, number, item, search, settings)
            change = _change(kind, settings)
            text = change(draw.choice(listed), draw, host) if listed else None
        if text is not None:
            made.append((number, text))
    return made


def _change(kind: str, settings: Decontaminate) -> Any:  # noqa: ANN401 - a function of plants
    if kind == EDITED:
        return partial(edited, edits=settings.recall.edits)
    return PLANTS.get(kind, embedded)


def _texts(
    kind: str, number: int, item: ItemTexts, search: Search, settings: Decontaminate
) -> list[str]:
    """The texts of an item that a kind can plant."""
    index = search.index
    if not index.items[number].ngrams:
        return []
    looked = texts_of(item, settings)
    first = index.first_text[number]
    counted = index.counted_of_text[first : first + len(looked)]
    return [
        text.text
        for text, is_counted in zip(looked, counted.tolist(), strict=True)
        if is_counted
        and text.is_short is (kind == SHORT_KIND)
        and (kind != EDITED or text.is_sought_edited)
    ]


def clean_texts(items: Sequence[ItemTexts], search: Search, settings: Decontaminate) -> list[str]:
    """Texts without an n-gram of any item, from pieces of items."""
    draw = _random(settings.recall.seed, "controls")
    # words, not what stands between blanks: a formula is one of those and a whole question
    bank: dict[str, list[list[str]]] = {}
    for item in items:
        for text in (item.question, *item.choices):
            listed = words(text)
            if len(listed) >= max(PIECE_WORDS):
                bank.setdefault(item.benchmark, []).append(listed)
    made: list[str] = []
    while len(made) < settings.recall.controls:
        drawn = [_drawn(bank, settings.recall.document_words, draw)
                 for _ in range(settings.recall.controls - len(made))]  # fmt: skip
        found = search(drawn)
        made += [text for text, one in zip(drawn, found, strict=True) if not one.touched]
    return made


def _drawn(bank: Mapping[str, Sequence[Sequence[str]]], length: int, draw: Random) -> str:
    tokens: list[str] = []
    last: list[str] = []
    while len(tokens) < length:
        # pieces of one benchmark's frames, side by side, would be one of its items again
        name = draw.choice([one for one in bank if one not in last] or list(bank))
        last = [*last[-1:], name]
        source = draw.choice(bank[name])
        count = draw.choice(PIECE_WORDS)
        place = draw.randrange(len(source) - count + 1)
        tokens += source[place : place + count]
    starts = range(0, len(tokens), SENTENCE_WORDS)
    sentences = (" ".join(tokens[start : start + SENTENCE_WORDS]) for start in starts)
    return " ".join(f"{sentence.capitalize()}." for sentence in sentences)


def summary(recall: Recall) -> dict[str, Any]:
    """What `recall.json` holds."""
    return {
        "rows": [row | {"recall": row["found"] / row["planted"]} for row in recall.rows],
        "kinds": {kind: recall.of(kind) for kind in PLANTED if recall.of(kind) is not None},
        "controls": recall.controls,
        "flagged": recall.flagged,
        "false_positive_rate": recall.false_positive_rate,
    }


def table(recall: Recall) -> str:
    """The same in Markdown: a row for each benchmark, a column for each kind."""
    found = {(row["benchmark"], row["kind"]): row for row in recall.rows}
    lines = ["| benchmark | " + " | ".join(PLANTED) + " |", "|---|" + "---:|" * len(PLANTED)]
    for benchmark in sorted({row["benchmark"] for row in recall.rows}):
        cells = [_cell(found.get((benchmark, kind))) for kind in PLANTED]
        lines.append(f"| {benchmark} | " + " | ".join(cells) + " |")
    totals = Counter[str](), Counter[str]()
    for row in recall.rows:
        totals[0][row["kind"]] += row["found"]
        totals[1][row["kind"]] += row["planted"]
    cells = [
        _cell({"found": totals[0][kind], "planted": totals[1][kind]} if totals[1][kind] else None)
        for kind in PLANTED
    ]
    lines.append("| **all** | " + " | ".join(cells) + " |")
    rate = f"{recall.flagged} of {recall.controls:,} clean texts flagged"
    return "# Planted copies that were found\n\n" + "\n".join(lines) + f"\n\n{rate}.\n"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return f"{row['found'] / row['planted']:.3f} ({row['planted']})"
