"""The funnel of each corpus: documents, words and tokens that are left after each rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hornbook.plain import markup
from hornbook.report.charts import WIDTH, linked, svg, text
from hornbook.report.statistics import DATA_NOUNS, Artifact, words
from hornbook.report.wording import amount

CORPORA = ("books", "code", "web")
LEFT, RIGHT, LANE, THICK = 210.0, 150.0, 21.0, 13.0


@dataclass(frozen=True)
class Step:
    """What a rule left: documents, words and tokens; None where nobody counted.

    Tokens before the last stage are words times the tokens of a word of the finished corpus.
    """

    stage: str
    rule: str
    documents: int
    gone: int
    num_words: int | None
    tokens: float | None


def funnels(artifacts: Sequence[Artifact]) -> dict[str, list[Step]]:
    """The steps of each corpus that drops something, in the order of the graph."""
    found = {name: _steps(artifacts, name) for name in CORPORA}
    return {name: steps for name, steps in found.items() if steps}


def _steps(artifacts: Sequence[Artifact], corpus: str) -> list[Step]:
    mine = [
        one for one in artifacts if one.group in DATA_NOUNS and corpus in {one.group, one.instance}
    ]
    sieves = [one for one in mine if "dropped" in one.summary and "rows" in one.summary]
    per_word = _tokens_of_a_word(mine)
    steps: list[Step] = []
    for one in sieves:
        steps += _of_stage(one, per_word, is_first=not steps)
    return steps


def _tokens_of_a_word(mine: Sequence[Artifact]) -> float | None:
    """From the finished corpus: its tokens over the words of what was encoded."""
    tokens = [one.summary.get("tokens") for one in mine if one.stage.startswith("tokens@")]
    counted = [one.summary.get("words") for one in mine if one.stage.startswith("decontaminate@")]
    if not (tokens and tokens[0] and counted and counted[0]):
        return None
    return tokens[0] / counted[0]


def _of_stage(one: Artifact, per_word: float | None, *, is_first: bool) -> list[Step]:
    """One step for what came in, if nothing came before, and one for each reason of a drop."""
    dropped: Mapping[str, int] = one.summary["dropped"]
    of_words: Mapping[str, int] = one.summary.get("dropped_words", {})
    counted = one.summary.get("words")
    documents = one.summary["rows"] + sum(dropped.values())
    left = None if counted is None else counted + sum(of_words.values())

    def step(rule: str, gone: int) -> Step:
        tokens = None if left is None or per_word is None else left * per_word
        return Step(one.stage, rule, documents, gone, left, tokens)

    steps = [step("all", 0)] if is_first else []
    for reason in _ordered(one.summary, dropped):
        documents -= dropped[reason]
        if left is not None:
            left -= of_words.get(reason, 0)
        steps.append(step(words(reason), dropped[reason]))
    if dropped and not of_words and steps:
        # only the words of what stayed are known: they are true of the last step alone
        steps = [*map(_without_words, steps[:-1]), steps[-1]]
    return steps


def _ordered(summary: Mapping[str, Any], dropped: Mapping[str, int]) -> list[str]:
    """Reasons in the order in which the stage asks; those that it does not order come last."""
    order: Sequence[str] = summary.get("reasons", ())
    rest = sorted(
        (one for one in dropped if one not in order), key=lambda one: (-dropped[one], one)
    )
    return [one for one in (*order, *rest) if dropped.get(one)]


def _without_words(step: Step) -> Step:
    return Step(step.stage, step.rule, step.documents, step.gone, None, None)


def draw(corpus: str, steps: Sequence[Step]) -> str:
    """Bars of what is left, the share that a rule took pale behind the bar of the next."""
    most = max(step.documents for step in steps) or 1
    unit = (WIDTH - LEFT - RIGHT) / most
    body: list[str] = []
    for place, step in enumerate(steps):
        y = 6 + LANE * place
        body.append(text(LEFT - 8, y + 11, step.rule, anchor="end", kind="name"))
        told = (
            f"{step.stage}, {step.rule}: {step.gone:,} documents went, {step.documents:,} are left"
        )
        wide, pale = unit * step.documents, unit * step.gone
        bars = (
            f'<rect class="bar left" x="{LEFT:.1f}" y="{y:.1f}" width="{wide:.1f}" '
            f'height="{THICK}" rx="1.5"><title>{markup(told)}</title></rect>'
            f'<rect class="bar gone" x="{LEFT + wide:.1f}" y="{y:.1f}" width="{pale:.1f}" '
            f'height="{THICK}"><title>{markup(told)}</title></rect>'
        )
        label = f"{step.documents:,}"
        if step.tokens is not None:
            label += f"  {amount(step.tokens)} tokens"
        figure = text(LEFT + wide + pale + 5, y + 11, label, kind="figure")
        body.append(linked(step.stage, bars + figure, told))
    return svg(WIDTH, 12 + LANE * len(steps), f"funnel of {corpus}", body, f"funnel c-{corpus}")
