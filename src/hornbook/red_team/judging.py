"""The judge: the teacher, asked about one answer at a time by a rubric."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hornbook.classifier.replies import objects, without_thoughts
from hornbook.errors import TeacherError
from hornbook.red_team.labels import LABELS
from hornbook.red_team.prompts import Prompt
from hornbook.stage import Run
from hornbook.teacher.ask import ask_all
from hornbook.teacher.config import Teacher
from hornbook.teacher.requests import Message, Request
from hornbook.teacher.verdicts import TASK

END = "</answer>"  # an answer that says so itself would end early
HARMLESS_END = "</ answer>"


@dataclass(frozen=True)
class Judged:
    """What the judge said; `labels` and `reasons` in the order of the answers."""

    labels: list[str | None]
    reasons: list[str | None]
    failures: dict[str, int]  # replies without a label, by kind
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


def judge(
    run: Run, prompts: Sequence[Prompt], answers: Sequence[str], rubric: str, teacher: Teacher
) -> Judged:
    """A label for each answer; a reply without one is counted and stays None.

    Raises:
        TeacherError: No reply could be read.
    """
    requests = [_request(*pair, rubric) for pair in zip(prompts, answers, strict=True)]
    replies = list(ask_all(run, teacher, lambda: requests))
    read = [None if one.failure else parse_label(one.text) for one in replies]
    kinds = [
        reply.failure or "unreadable"
        for reply, found in zip(replies, read, strict=True)
        if found is None
    ]
    failures = dict(sorted(Counter(kinds).items()))
    if len(kinds) == len(read):
        raise TeacherError(
            f"{run.name}: none of {len(read)} replies had a label of {', '.join(LABELS)} "
            f"({failures}); does teacher.model={teacher.model!r} follow the rubric?"
        )
    return Judged(
        labels=[found[0] if found else None for found in read],
        reasons=[found[1] if found else None for found in read],
        failures=failures,
        prompt_tokens=sum(one.prompt_tokens for one in replies),
        completion_tokens=sum(one.completion_tokens for one in replies),
        cost_usd=round(sum(one.cost_usd for one in replies), 6),
    )


def _request(prompt: Prompt, answer: str, rubric: str) -> Request:
    shown = answer.replace(END, HARMLESS_END)
    text = (
        f"{TASK}\n{rubric}\nPrompt: {prompt.prompt}\nA good answer: {prompt.good}\n"
        f"To be declined: {'yes' if prompt.decline else 'no'}\n<answer>\n{shown}\n{END}"
    )
    return Request(prompt.id, (Message("user", text),))


def parse_label(text: str) -> tuple[str, str] | None:
    """Label and reason of a reply; None where it has none of the labels.

    The last JSON object with a label counts, also in a code fence or behind prose.
    """
    found = [one for one in objects(without_thoughts(text), "label") if "label" in one]
    label = "_".join(str(found[-1]["label"]).lower().split()) if found else None
    return (label, str(found[-1].get("reason", ""))) if label in LABELS else None
