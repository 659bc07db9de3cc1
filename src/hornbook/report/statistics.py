"""What the page says about data, teacher and checks, read from each artifact's own summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hornbook.report.wording import ABSENT, amount

TOLD_ELSEWHERE = ("rows", "documents", "tokens", "prompt_tokens", "completion_tokens", "cost_usd")
DATA_NOUNS = ("topics", "books", "web", "code", "clean", "tokens")


@dataclass(frozen=True)
class Artifact:
    """An artifact as the page knows it; `hash` is the DVC hash of its bytes."""

    stage: str
    group: str
    desc: str
    path: str
    hash: str
    size_bytes: int
    producers: tuple[str, ...]
    params: tuple[str, ...]
    summary: Mapping[str, Any]
    checks: Mapping[str, Any]
    pictures: tuple[str, ...] = ()  # files beside the page, those that dvc.yaml says to show

    @property
    def instance(self) -> str:
        """What stands behind the @ of the stage's name."""
        return self.stage.partition("@")[2]


@dataclass(frozen=True)
class Facts:
    """A summary in two parts: single numbers, and counts by reason or kind (largest first)."""

    numbers: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def facts(summary: Mapping[str, Any], *, without: Sequence[str] = ()) -> Facts:
    """The summary of an artifact in words, in sorted order; `without` are keys told elsewhere."""
    numbers: list[tuple[str, str]] = []
    counts: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    for key, value in sorted(summary.items()):
        if key in without or value is None or isinstance(value, list):
            continue
        if not isinstance(value, Mapping):
            numbers.append((words(key), _text(value)))
        elif key == "overlap":
            counts.append(("benchmark items found", _overlaps(value)))
        elif _is_counts(value):
            ranked = sorted(value.items(), key=lambda item: (-item[1], item[0]))
            counts.append((words(key), tuple((words(k), f"{n:,}") for k, n in ranked if n)))
        else:
            numbers += [(f"{words(key)} {k}", v) for k, v in _flat(value)]
    return Facts(tuple(numbers), tuple((name, found) for name, found in counts if found))


def _overlaps(found: Mapping[str, Mapping[str, int]]) -> tuple[tuple[str, str], ...]:
    """Of each benchmark, the items that the corpus holds a piece of among those looked for."""
    return tuple(
        (words(name), f"{one['overlapping']:,} of {one['checked']:,}")
        for name, one in sorted(found.items())
    )


def words(key: str) -> str:
    """A key as a reader says it."""
    return key.replace("_", " ")


def _is_counts(value: Mapping[str, Any]) -> bool:
    return all(isinstance(one, int) and not isinstance(one, bool) for one in value.values())


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, one in sorted(value.items()):
        name = f"{prefix}{words(str(key))}"
        found += _flat(one, f"{name} ") if isinstance(one, Mapping) else [(name, _text(one))]
    return found


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a summary holds
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def corpora(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    """For each corpus its stages in order, with counts, what was dropped and why."""
    names = [one.instance for one in artifacts if one.stage.startswith("tokens@")]
    return [
        {"name": name, "steps": [_step(one) for one in artifacts if _belongs(one, name)]}
        for name in sorted(names)
    ]


def _belongs(one: Artifact, corpus: str) -> bool:
    return one.group == corpus or (one.group in DATA_NOUNS and one.instance == corpus)


def _step(one: Artifact) -> dict[str, Any]:
    rows = one.summary.get("rows", one.summary.get("documents"))
    return {
        "stage": one.stage,
        "rows": rows if isinstance(rows, int) else None,
        "tokens": one.summary.get("tokens"),
        "facts": facts(one.summary, without=TOLD_ELSEWHERE),
    }


def teacher(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    """What the teacher was asked and what it cost, for each stage that asked it."""
    told = ("rows", "prompt_tokens", "completion_tokens", "cost_usd")
    return [
        {"stage": one.stage, "facts": facts(one.summary, without=told)}
        | {key: one.summary.get(key) for key in told}
        for one in artifacts
        if "cost_usd" in one.summary or "teacher" in one.params
    ]


def checks(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    """Results of Great Expectations for each guarded dataset."""
    return [
        {
            "stage": one.stage,
            "dataset": dataset,
            "rows": result["rows"],
            "success": result["success"],
            "passed": sum(record["success"] for record in result["expectations"]),
            "expectations": result["expectations"],
        }
        for one in artifacts
        for dataset, result in sorted(one.checks.items())
    ]


def size(bytes_: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes_ < 1000:
            return f"{bytes_:.0f} {unit}" if unit == "B" else f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{amount(bytes_)} TB"


def number(value: float | str | None) -> str:
    """A number as it is recorded, shortened to four digits where it has a fraction."""
    if value is None or isinstance(value, str):
        return value or ABSENT
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
