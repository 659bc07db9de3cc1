"""What people say of the answers: a CSV that they edit, and how far it agrees with the judge."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hornbook.errors import InputError

LABELS = ("pass", "fail", "did_not_understand")
COLUMNS = ("variant", "id", "answer_hash", "category", "prompt", "good", "answer", "label")
NEEDED = ("variant", "id", "answer_hash", "label")
TEXTS = ("category", "prompt", "good", "answer")
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for a formula begins with one of these


@dataclass(frozen=True)
class HandLabel:
    """A label of one answer of `variant`; it holds for whoever answers the same."""

    variant: str
    id: str
    answer_hash: str
    label: str


def answer_hash(prompt: str, answer: str) -> str:
    """The identity of an answer to a prompt.

    It begins with a letter that no digit of a number is: a spreadsheet would take 12e4... for one.
    """
    return "h" + hashlib.sha256(f"{prompt}\0{answer}".encode()).hexdigest()[:16]


def read_labels(file: Path) -> list[HandLabel]:
    """The rows that have a label; case, and spaces for underscores, do not matter.

    Raises:
        InputError: A column is missing, a row has more or fewer fields than the heading, a label
            is unknown, or two rows contradict each other.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = [(reader.line_num, row) for row in reader]
            missing = sorted(set(NEEDED) - set(reader.fieldnames or ()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"red_team.labels={file} is not a CSV in UTF-8: {error}") from error
    if missing:
        raise InputError(
            f"red_team.labels={file} has no column {', '.join(missing)}; copy rows, and the "
            f"heading, from a to_label.csv of the artifacts"
        )
    found: dict[tuple[str, str, str], HandLabel] = {}
    for line, row in rows:
        if None in row or None in row.values():
            raise InputError(
                f"red_team.labels={file}: the row that ends in line {line} has "
                f"{'more' if None in row else 'fewer'} fields than the heading; copy it whole from "
                f"its to_label.csv, where a text with a comma or a line break is in quotes"
            )
        variant, name, digest, said = (row[column].strip() for column in NEEDED)
        if not said:
            continue
        label = "_".join(said.lower().split())
        if label not in LABELS:
            raise InputError(
                f"red_team.labels={file}, line {line}: label {said!r} is none of "
                f"{', '.join(LABELS)}"
            )
        one = found.setdefault((variant, name, digest), HandLabel(variant, name, digest, label))
        if one.label != label:
            raise InputError(
                f"red_team.labels={file}, line {line}: {name} of {variant} is labelled {label!r}, "
                f"and {one.label!r} in a line before; keep one of them"
            )
    return list(found.values())


def matched(
    labels: Iterable[HandLabel], variant: str, hashes: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Labels by prompt id, and the ids whose only label is of an answer that `variant` gave before.

    `hashes` are those of the answers of `variant` by prompt id. What was said of the same answer of
    another variant counts where nothing was said of this one's.
    """
    own = sorted(labels, key=lambda one: one.variant == variant)
    found = {one.id: one.label for one in own if hashes.get(one.id) == one.answer_hash}
    return found, sorted({one.id for one in own if one.variant == variant} - set(found))


def to_label(rows: Iterable[Mapping[str, str | None]]) -> str:
    """The CSV to fill in; the judge's labels are not in it, so that they persuade nobody.

    A text that a spreadsheet would compute has an apostrophe before it.
    """
    text = io.StringIO(newline="")
    text.write(",".join(COLUMNS) + "\n")
    # all of it: csv quotes a line feed by itself, and leaves a carriage return to split the row
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows(
        [_inert(row[name]) if name in TEXTS else row[name] for name in COLUMNS] for row in rows
    )
    return text.getvalue()


def _inert(text: str | None) -> str | None:
    return f"'{text}" if text and text.lstrip().startswith(FORMULA) else text


def agreement(pairs: Sequence[tuple[str, str]]) -> dict[str, float | int | None]:
    """Share of equal labels and Cohen's kappa; None where they say nothing.

    Kappa has no value where both used one and the same label only.
    """
    n = len(pairs)
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    agreed = sum(one == other for one, other in pairs)
    by_chance = sum(count * others[label] for label, count in ones.items())
    return {
        "n": n,
        "raw": round(agreed / n, 6) if n else None,
        "kappa": round((agreed * n - by_chance) / (n * n - by_chance), 6)
        if n * n > by_chance
        else None,
    }


def counts(labels: Iterable[str | None]) -> dict[str, int]:
    """How often each label was given."""
    found = Counter(labels)
    return {label: found[label] for label in LABELS}
