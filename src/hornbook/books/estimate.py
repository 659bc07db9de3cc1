"""`hornbook books estimate`: tokens, dollars and hours before the first call."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter

from hornbook.artifacts import read_json, read_table
from hornbook.books.config import Answers, Prompts
from hornbook.books.plan import planned, request
from hornbook.errors import InputError
from hornbook.runtime import Runtime, load_runtime
from hornbook.stage import shared_folder
from hornbook.teacher.budget import cost_usd, price_of
from hornbook.teacher.config import Teacher
from hornbook.teacher.endpoints import endpoints, places
from hornbook.teacher.requests import Request, request_body, request_hash
from hornbook.teacher.store import AnswerStore
from hornbook.topics.config import Selection
from hornbook.topics.seeds import topic_id
from hornbook.topics.selection import select
from hornbook.topics.sources import read_topics

LETTERS_PER_TOKEN = 4  # English in the vocabularies of GPT models, as OpenAI's help page has it
FEW = 200_000  # requests that are looked up in the store one by one
SAMPLE = 500  # answers whose calls tell the pace
ANSWERS, EXCERPTS, SEEDS = (
    "artifacts/books/answers",
    "artifacts/books/excerpts",
    "artifacts/topics/seeds",
)


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
    runtime: Runtime
    teacher: Teacher

    @property
    def missing(self) -> int:
        """Requests to send."""
        return self.answers - (self.stored or 0)

    @property
    def usd(self) -> float:
        """Dollars for the missing answers over the configured transport."""
        price = price_of(self.teacher)
        tokens = self.prompt.value * self.missing, self.completion.value * self.missing
        factor = price.batch if self.runtime.transport == "batch" else 1.0
        return cost_usd(price, round(tokens[0]), round(tokens[1])) * factor

    @property
    def concurrency(self) -> int:
        """Calls at a time over all endpoints."""
        return sum(places(one, self.runtime) for one in endpoints(self.runtime))

    @property
    def bounds(self) -> dict[str, float]:
        """Hours by each thing that limits the rate; the largest is the estimate."""
        found: dict[str, float] = {}
        if self.seconds is not None:
            calls = f"{self.concurrency} calls at a time, {self.seconds.value:.3g} s each"
            hours = self.missing * self.seconds.value / self.concurrency / 3600
            found[f"{calls} ({self.seconds.origin})"] = hours
        requests = _total_rate(self.runtime, "requests_per_minute")
        if requests:
            found[f"{requests:,.0f} requests a minute"] = self.missing / requests / 60
        tokens = _total_rate(self.runtime, "tokens_per_minute")
        if tokens:
            each = self.prompt.value + self.completion.value
            found[f"{tokens:,.0f} tokens a minute"] = self.missing * each / tokens / 60
        return found

    @property
    def hours(self) -> float | None:
        """Hours at the configured rate; None where nothing says how fast it is."""
        return max(self.bounds.values(), default=None)


def _total_rate(runtime: Runtime, name: str) -> float | None:
    """A limit summed over the endpoints; None where one of them has none."""
    rates = [getattr(one, name) or getattr(runtime, name) for one in endpoints(runtime)]
    return None if None in rates else sum(rates)


@dataclass(frozen=True)
class Plan:
    """The prompts of an experiment, as far as they are known before its stages ran."""

    settings: Answers
    prompts: Prompts
    topics: Sequence[Mapping[str, Any]]
    excerpts: Sequence[Mapping[str, Any]]

    def requests(self, count: int | None = None) -> Iterator[Request]:
        """The first `count` of them."""
        books = planned(self.settings, self.prompts, self.topics, self.excerpts)
        return (request(self.prompts, book) for book in islice(books, count))


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
    plan = _plan(root, params)
    prompt, completion = _per_answer(root, teacher, plan)
    if answer_tokens is not None:
        completion = Figure(answer_tokens, "--answer-tokens")
    answers = plan.settings.count if tokens is None else round(tokens / completion.value)
    return Estimate(
        answers=answers,
        stored=_stored(root, teacher, plan) if tokens is None else None,
        prompt=prompt,
        completion=completion,
        seconds=_pace(root, teacher) if seconds is None else Figure(seconds, "--answer-seconds"),
        runtime=load_runtime(root),
        teacher=teacher,
    )


def _plan(root: Path, params: Mapping[str, Any]) -> Plan:
    """Over the topics that the last run chose, where it read the same source; else chosen now."""
    books = params["books"]
    file, excerpts = root / SEEDS / "topics.parquet", root / EXCERPTS / "excerpts.parquet"
    selection = TypeAdapter(Selection).validate_python(params["topics"]["selection"])
    rows = read_table(file).to_pylist() if file.exists() else []
    if not rows or {row["domain"] for row in rows} != _weighted(selection):
        known = read_topics(root / params["topics"]["source"]).topics
        rows = [
            topic._asdict() | {"topic_id": topic_id(topic)} for topic in select(known, selection)
        ]
    return Plan(
        TypeAdapter(Answers).validate_python(books["answers"]),
        TypeAdapter(Prompts).validate_python(books["prompts"]),
        rows,
        read_table(excerpts).to_pylist() if excerpts.exists() else [],
    )


def _weighted(selection: Selection) -> set[str]:
    return {domain for domain, weight in selection.weights.items() if weight > 0}


def _per_answer(root: Path, teacher: Teacher, plan: Plan) -> tuple[Figure, Figure]:
    """Tokens of a prompt and of an answer: as the last run had them, else what is known before."""
    file = root / ANSWERS / "summary.json"
    last = read_json(file) if file.exists() else {}
    if last.get("model") == teacher.model and last.get("rows"):
        origin = f"mean of {last['rows']:,} answers in {ANSWERS}"
        return (
            Figure(last["prompt_tokens"] / last["rows"], origin),
            Figure(last["completion_tokens"] / last["rows"], origin),
        )
    # a plan goes through its domains one after the other: all of them have to be in the sample
    few = replace(plan, settings=replace(plan.settings, count=min(plan.settings.count, SAMPLE)))
    asked = list(few.requests())
    letters = sum(len(message.content) for one in asked for message in one.messages)
    return (
        Figure(letters / len(asked) / LETTERS_PER_TOKEN, f"{LETTERS_PER_TOKEN} letters a token"),
        Figure(teacher.max_tokens, "teacher.max_tokens, the most there can be"),
    )


def _stored(root: Path, teacher: Teacher, plan: Plan) -> int | None:
    """How many of the requests are answered in the store."""
    folder = shared_folder(root) / "store" / "teacher"
    if not folder.exists():
        return 0
    if plan.settings.count > FEW:
        return None
    hashes = [request_hash(request_body(teacher, one)) for one in plan.requests()]
    with closing(AnswerStore(folder)) as store:
        known = store.known(sorted(set(hashes)))
    return sum(digest in known for digest in hashes)


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
    price = price_of(found.teacher)
    is_batch = found.runtime.transport == "batch"
    stored = "" if found.stored is None else f"{found.stored:,} of them are stored and cost nothing"
    asked = f"{found.missing:,} answers to ask for"
    prices = f"at {price.prompt:g} and {price.completion:g} USD per million tokens"
    if is_batch:
        prices += f", times {price.batch:g} in batches"
    hours = ("hours", "unknown", "nobody has measured this teacher; --answer-seconds S")
    if is_batch:
        hours = ("hours", "up to 24", "a batch; how many at a time is the provider's decision")
    elif found.hours is not None:
        slowest = max(found.bounds, key=lambda name: found.bounds[name])
        hours = ("hours", f"{found.hours:,.2f}", slowest)
    rows = [
        ("teacher", found.teacher.model, ""),
        ("answers", f"{found.answers:,}", stored),
        _tokens("prompt tokens", found.prompt, found.answers),
        _tokens("answer tokens", found.completion, found.answers),
        ("cost", f"{found.usd:,.2f} USD", f"{asked}, {prices}"),
        hours,
    ]
    caps = {"max_cost_usd": found.usd, "max_total_tokens": found.missing * _both(found)}
    for name, needed in caps.items():
        cap = getattr(found.runtime, name)
        if cap is not None and needed > cap:
            rows.append(("cap", f"{cap:,g}", f"runtime.{name} stops the stage before its end"))
    return [f"{name:<15}{value:>20}  {note}".rstrip() for name, value, note in rows]


def _both(found: Estimate) -> float:
    return found.prompt.value + found.completion.value


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
