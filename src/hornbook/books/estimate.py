"""`hornbook books estimate`: tokens, dollars and hours before the first call."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter

from hornbook.artifacts import read_json, read_table
from hornbook.books.answers import book_requests
from hornbook.books.config import Answers
from hornbook.errors import InputError
from hornbook.runtime import load_runtime
from hornbook.stage import shared_folder
from hornbook.teacher.ask import request_body, request_hash
from hornbook.teacher.budget import cost_usd, price_of
from hornbook.teacher.config import Teacher
from hornbook.teacher.store import AnswerStore
from hornbook.topics.config import Topics
from hornbook.topics.seeds import draw
from hornbook.topics.sources import read_topics

LETTERS_PER_TOKEN = 4  # English in the vocabularies of GPT models, as OpenAI's help page has it
FEW = 200_000  # requests that are looked up in the store one by one
SAMPLE = 500  # answers whose calls tell the pace
ANSWERS = "artifacts/books/answers"


class Figure(NamedTuple):
    """A number and where it comes from."""

    value: float
    origin: str


@dataclass(frozen=True)
class Estimate:
    """What asking would take."""

    answers: int
    stored: int | None  # already paid for; None where there are too many to look up
    prompt: Figure  # tokens an answer
    completion: Figure
    seconds: Figure | None  # a call; None where nobody has measured it
    concurrency: int
    teacher: Teacher

    @property
    def missing(self) -> int:
        """Requests to send."""
        return self.answers - (self.stored or 0)

    @property
    def usd(self) -> float:
        """Dollars for the missing answers."""
        price = price_of(self.teacher)
        tokens = self.prompt.value * self.missing, self.completion.value * self.missing
        return cost_usd(price, round(tokens[0]), round(tokens[1]))

    @property
    def hours(self) -> float | None:
        """Hours at the configured concurrency."""
        if self.seconds is None:
            return None
        return self.missing * self.seconds.value / self.concurrency / 3600


def estimate(
    root: Path,
    params: Mapping[str, Any],
    *,
    tokens: float | None = None,
    answer_tokens: float | None = None,
    seconds: float | None = None,
) -> Estimate:
    """What `params` would take, or as many answers as make `tokens`.

    Raises:
        BudgetError: The model has no price.
        InputError: The topics cannot be read.
    """
    teacher = TypeAdapter(Teacher).validate_python(params["teacher"])
    price_of(teacher)
    settings = TypeAdapter(Answers).validate_python(params["books"]["answers"])
    topics = TypeAdapter(Topics).validate_python(params["topics"])
    rows = draw(read_topics(root / params["data"]["topics"]).topics, topics)
    prompt, completion = _per_answer(root, teacher, settings, rows)
    if answer_tokens is not None:
        completion = Figure(answer_tokens, "--answer-tokens")
    answers = len(rows) * settings.variations
    if tokens is not None:
        answers = round(tokens / completion.value)
    return Estimate(
        answers=answers,
        stored=_stored(root, teacher, settings, rows) if tokens is None else None,
        prompt=prompt,
        completion=completion,
        seconds=_pace(root, teacher) if seconds is None else Figure(seconds, "--answer-seconds"),
        concurrency=load_runtime(root).concurrency,
        teacher=teacher,
    )


def _per_answer(
    root: Path, teacher: Teacher, settings: Answers, rows: list[dict[str, Any]]
) -> tuple[Figure, Figure]:
    """Tokens of a prompt and of an answer: as the last run had them, else what is known before."""
    file = root / ANSWERS / "summary.json"
    last = read_json(file) if file.exists() else {}
    if last.get("model") == teacher.model and last.get("rows"):
        origin = f"mean of {last['rows']:,} answers in {ANSWERS}"
        return (
            Figure(last["prompt_tokens"] / last["rows"], origin),
            Figure(last["completion_tokens"] / last["rows"], origin),
        )
    asked = [request for _, (request, _) in book_requests(replace(settings, variations=1), rows)]
    letters = sum(len(message.content) for request in asked for message in request.messages)
    return (
        Figure(letters / len(asked) / LETTERS_PER_TOKEN, f"{LETTERS_PER_TOKEN} letters a token"),
        Figure(teacher.max_tokens, "teacher.max_tokens, the most there can be"),
    )


def _stored(
    root: Path, teacher: Teacher, settings: Answers, rows: list[dict[str, Any]]
) -> int | None:
    """How many of the requests are answered in the store."""
    folder = shared_folder(root) / "store" / "teacher"
    if not folder.exists():
        return 0
    if len(rows) * settings.variations > FEW:
        return None
    asked = [request for _, (request, _) in book_requests(settings, rows)]
    hashes = [request_hash(request_body(teacher, request)) for request in asked]
    with closing(AnswerStore(folder)) as store:
        paid = store.costs(sorted(set(hashes)))
    return sum(digest in paid for digest in hashes)


def _pace(root: Path, teacher: Teacher) -> Figure | None:
    """Seconds of a call to the same model, from the ledger."""
    summary, folder = root / ANSWERS / "summary.json", shared_folder(root) / "store" / "teacher"
    if not summary.exists() or read_json(summary).get("model") != teacher.model:
        return None
    ids = read_table(root / ANSWERS, ["id"])["id"].to_pylist()[:SAMPLE]
    with closing(AnswerStore(folder)) as store:
        seconds = store.seconds(ids)
    if not seconds:
        return None
    return Figure(sum(seconds) / len(seconds), f"mean of {len(seconds)} calls in the ledger")


def lines(found: Estimate) -> list[str]:
    """The estimate as a person reads it."""
    price, pace = price_of(found.teacher), found.seconds
    stored = "" if found.stored is None else f"{found.stored:,} of them are stored and cost nothing"
    asked = f"{found.missing:,} answers to ask for"
    prices = f"at {price.prompt:g} and {price.completion:g} USD per million tokens"
    hours = ("hours", "unknown", "nobody has measured this teacher; --answer-seconds S")
    if pace is not None:
        note = f"{found.concurrency} calls at a time, {pace.value:.3g} s each ({pace.origin})"
        hours = ("hours", f"{found.hours:,.2f}", note)
    rows = [
        ("teacher", found.teacher.model, ""),
        ("answers", f"{found.answers:,}", stored),
        _tokens("prompt tokens", found.prompt, found.answers),
        _tokens("answer tokens", found.completion, found.answers),
        ("cost", f"{found.usd:,.2f} USD", f"{asked}, {prices}"),
        hours,
    ]
    return [f"{name:<15}{value:>20}  {note}".rstrip() for name, value, note in rows]


def _tokens(name: str, figure: Figure, answers: int) -> tuple[str, str, str]:
    note = f"{figure.value:,.0f} an answer ({figure.origin})"
    return name, f"{round(figure.value * answers):,}", note


def _params(root: Path, overrides: Sequence[str]) -> Mapping[str, Any]:
    file = root / "params.yaml"
    if not overrides and file.exists():
        return yaml.safe_load(file.read_text("utf-8"))
    from hornbook.compose import compose

    return compose(root, overrides)


def main(arguments: Sequence[str]) -> int:
    """`hornbook books estimate [OVERRIDES]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook books",
        description="What the textbooks of an experiment would take, before the first call.",
        epilog="the paper's size: hornbook books estimate scale=paper teacher=openai --tokens 20e9",
    )
    parser.add_argument("command", choices=["estimate"], help="tokens, cost, hours")
    parser.add_argument("overrides", nargs="*", help="as for `hornbook compose`; none: params.yaml")
    parser.add_argument("--tokens", type=float, help="as many answers as make so many tokens")
    parser.add_argument("--answer-tokens", type=float, help="completion tokens of an answer")
    parser.add_argument("--answer-seconds", type=float, help="seconds a call takes")
    options = parser.parse_intermixed_args(list(arguments))
    for name in ("tokens", "answer_tokens", "answer_seconds"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise InputError(f"--{name.replace('_', '-')}={value:g}: expected a positive number")
    root = Path.cwd()
    found = estimate(
        root,
        _params(root, options.overrides),
        tokens=options.tokens,
        answer_tokens=options.answer_tokens,
        seconds=options.answer_seconds,
    )
    sys.stdout.write("\n".join(lines(found)) + "\n")
    return 0
