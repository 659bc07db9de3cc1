"""Stage `topic_proposals`: the teacher fills thin subjects, round by round.

Each round measures which subjects have too few topics, asks for more, and leaves out what repeats
a known topic; it ends when nothing is thin or no proposal was new.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hornbook.artifacts import write_table
from hornbook.errors import ConfigError
from hornbook.stage import Run
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Teacher
from hornbook.teacher.requests import Answer, Message, Request
from hornbook.topics.config import Proposals
from hornbook.topics.coverage import thin_subjects
from hornbook.topics.similarity import repeats
from hornbook.topics.sources import PLAIN, Topic, expand, normal, read_topics

MARK = re.compile(r"^\s*(?:[-*\u2022]\s+|\d+[.)]\s+)")  # a bullet or number before a list item
LOG = pa.schema(
    [("round", pa.int64())]
    + [(name, pa.string()) for name in ("domain", "subject", "proposed", "verdict")]
)
TOPICS = pa.schema([(name, pa.string()) for name in Topic._fields])


def topic_proposals(run: Run) -> None:
    """Ask until subjects have enough topics; keep what was new and the log of all proposals."""
    settings = run.section("topics.proposals", Proposals)
    teacher = run.section("teacher", Teacher)
    source = read_topics(run.input(run.section("topics.source", str)))
    loop = Loop(source.topics, settings)
    costs: Counter[str] = Counter()
    asked = 0
    cost_usd = 0.0
    for number in range(settings.rounds):
        thin = thin_subjects(loop.known, settings.enough)
        if not thin:
            break
        run.log(f"round {number + 1}: {len(thin)} subjects have under {settings.enough} topics")
        requests = [_request(area, loop, settings, number) for area in thin]
        new, asked = 0, asked + 1
        for area, answer in zip(thin, ask_all(run, teacher, lambda: requests), strict=True):  # noqa: B023 - used within the round
            costs.update(prompt=answer.prompt_tokens, completion=answer.completion_tokens)
            cost_usd += answer.cost_usd
            new += loop.take(number, area, answer, source.facets.get(area[0], PLAIN))
        if not new:
            break
    write_table(run.out / "topics.parquet", pa.Table.from_pylist(
        [topic._asdict() for topic in loop.new], TOPICS))  # fmt: skip
    write_table(run.out / "log.parquet", pa.Table.from_pylist(loop.log, LOG))
    run.summary(
        rows=len(loop.new),
        rounds=asked,
        still_thin=len(thin_subjects(loop.known, settings.enough)),
        verdicts=dict(sorted(Counter(row["verdict"] for row in loop.log).items())),
        model=teacher.model,
        prompt_tokens=costs["prompt"],
        completion_tokens=costs["completion"],
        cost_usd=round(cost_usd, 6),
    )


class Loop:
    """What is known so far, and what became of every proposal."""

    def __init__(self, known: Sequence[Topic], settings: Proposals) -> None:
        self.known, self.settings = list(known), settings
        self.new: list[Topic] = []
        self.log: list[dict[str, Any]] = []

    def bases(self, domain: str, subject: str | None = None) -> list[str]:
        """Base topics of a domain or of one of its subjects, each once."""
        rows = [t for t in self.known if t.domain == domain and subject in {None, t.subject}]
        return list(dict.fromkeys(topic.base for topic in rows))

    def take(
        self, number: int, area: tuple[str, str], answer: Answer, facets: dict[str, str]
    ) -> int:
        """How many of an answer's proposals are new; they are known from now on."""
        domain, subject = area
        if answer.failure:
            self._note(number, area, "", answer.failure)
            return 0
        found = 0
        for proposed in parse(answer.text):
            verdict = self._verdict(domain, proposed)
            self._note(number, area, proposed, verdict)
            if verdict == "accepted":
                topics = expand(domain, subject, proposed, facets)
                self.known += topics
                self.new += topics
                found += 1
        return found

    def _verdict(self, domain: str, proposed: str) -> str:
        if not any(character.isalnum() for character in proposed) and len(proposed) > 1:
            return "no_words"
        if len(proposed.split()) > self.settings.max_words:
            return "too_long"
        bases = self.bases(domain)
        if normal(proposed) in set(map(normal, bases)):
            return "repeat"
        close = repeats([*bases, proposed], self.settings.max_similarity)
        return "near_repeat" if any(one.place == len(bases) for one in close) else "accepted"

    def _note(self, number: int, area: tuple[str, str], proposed: str, verdict: str) -> None:
        row = {"round": number + 1, "domain": area[0], "subject": area[1]}
        self.log.append(row | {"proposed": proposed, "verdict": verdict})


def parse(text: str) -> list[str]:
    """One topic per line, without list marks, quotes and full stops."""
    lines = (MARK.sub("", line).strip().strip("\"'").rstrip(".") for line in text.splitlines())
    return [line for line in lines if line and not line.endswith(":")]


def _request(area: tuple[str, str], loop: Loop, settings: Proposals, number: int) -> Request:
    domain, subject = area
    known = loop.bases(domain, subject)
    values = {
        "domain": domain,
        "subject": subject,
        "known": "; ".join(known[-settings.shown :]) if settings.shown else "",
        "count": settings.ask_for,
        "round": number + 1,
    }
    try:
        prompt = settings.prompt.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(
            f"topics.proposals.prompt cannot be filled in ({type(error).__name__}: {error}); its "
            f"fields are {{{'}, {'.join(sorted(values))}}}, and a brace that is text is doubled"
        ) from error
    messages = (Message("system", settings.system), Message("user", prompt))
    return Request(f"{domain}/{subject}/{number}", messages)
