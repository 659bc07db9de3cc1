"""The pages of the report from plain records: one folder, relative links, no network.

All pages lie side by side, so a link is the name of a file wherever it stands.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hornbook.evaluate.texts import ItemTexts
from hornbook.plain import visible
from hornbook.report import charts, funnel, lineage_drawing, perplexity, safety, statistics, wording
from hornbook.report.comparison import compared, file_name, pairs
from hornbook.report.flips import Items as VariantItems
from hornbook.report.flips import counted, flips
from hornbook.report.lineage_drawing import Node, page_of, slug
from hornbook.report.model_card import card
from hornbook.report.page import chart, page
from hornbook.report.sheets import Sheet, about, chain
from hornbook.report.statistics import Artifact, facts

TEMPLATES = Path(__file__).parent / "templates"
FILES = ("style.css", "site.js")


@dataclass(frozen=True)
class Items:
    """What each variant answered, and what the items say by the name their scores have."""

    answers: Mapping[str, VariantItems]
    texts: Mapping[str, ItemTexts]


@dataclass(frozen=True)
class Records:
    """All that the pages are made of.

    `artifacts` are in topological order; `curves` hold (tokens, loss), `trainings` the final
    metrics, with errors where `seeds` are several; `recipe` sections of params.yaml.
    """

    title: str
    this_stage: Node
    artifacts: Sequence[Artifact]
    sheets: Mapping[str, Sheet]
    tables: Mapping[str, Any]
    toxigen: Mapping[str, Any]
    red_team: Mapping[str, Any]
    curves: Mapping[str, Sequence[charts.Point]]
    trainings: Mapping[str, Mapping[str, Any]]
    mixtures: Mapping[str, Mapping[str, Any]]
    configs: Mapping[str, Mapping[str, Any]]
    recipe: Mapping[str, Any]
    teacher: str
    seeds: Sequence[int]
    items: Items
    flips: int
    characters: int
    excerpt_characters: int

    @property
    def variants(self) -> list[str]:
        """The names of the variants, in the order of their rows."""
        return [row["variant"] for row in self.tables["variants"]]


def site(records: Records) -> dict[str, str]:
    """The text of each file of the site by its name."""
    found = environment(records)
    comparisons = [_compared(records, one, other) for one, other in pairs(records.variants)]
    pages = {name: found.get_template(f"{name}.j2").render() for name in FILES}
    pages["index.html"] = page(
        found,
        title=records.title,
        this_stage=records.this_stage,
        artifacts=records.artifacts,
        tables=records.tables,
        toxigen=records.toxigen,
        red_team=records.red_team,
        curves=records.curves,
        trainings=records.trainings,
        seeds=records.seeds,
        comparisons=comparisons,
    )
    pages |= {f"model-{name}.html": _card(found, records, name) for name in records.variants}
    template = found.get_template("comparison.html.j2")
    for one in comparisons:
        name = file_name(one["first"], one["second"])
        pages[name] = template.render(one=one, drawing=chart(one["forest"] or ""), name=name)
    funnels = funnel.funnels(records.artifacts)
    for one in records.artifacts:
        pages[page_of(one.stage)] = _artifact(found, records, one, funnels)
    return pages


def environment(records: Records) -> Environment:
    """The templates with what every page may name."""
    found = templates()
    known: dict[str, Any] = {
        "hashes": {one.stage: one.hash for one in records.artifacts},
        "variants_of_site": records.variants,
        "pairs_of_site": pairs(records.variants),
    }
    found.globals.update(known)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return found


def templates(*further: Path) -> Environment:
    """The templates; whatever an artifact says is text to them and never markup."""
    found = Environment(
        loader=FileSystemLoader([TEMPLATES, *further]),
        autoescape=True,
        finalize=_text,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters |= {
        "slug": slug,
        "page_of": page_of,
        "shade": charts.shade,
        "short": wording.short,
        "amount": wording.amount,
        "share": wording.share,
        "fraction": wording.fraction,
        "signed": wording.signed,
        "p_text": wording.p_text,
        "model_text": wording.model_text,
        "size": statistics.size,
        "words": statistics.words,
        "task_name": wording.task_name,
        "number": statistics.number,
    }
    known: dict[str, Any] = {
        "our_text": wording.our_text,
        "perplexity_text": perplexity.cell_text,
        "row_name": perplexity.row_name,
        "score_text": safety.score_text,
        "auc_text": safety.auc_text,
        "clean_text": wording.clean_text,
        "paper_text": wording.paper_text,
        "compare_page": file_name,
    }
    found.globals.update(known)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return found


def _text(value: Any) -> Any:  # noqa: ANN401 - whatever a template writes
    """What a template writes; of a text that is not markup of ours only what can be seen."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _compared(records: Records, first: str, second: str) -> dict[str, Any]:
    items = records.items.answers[first], records.items.answers[second]
    return compared(
        first,
        second,
        tables=records.tables,
        toxigen=records.toxigen,
        red_team=records.red_team,
        mixtures=records.mixtures,
        trainings=records.trainings,
        counts=counted(*items),
        flips=flips(
            items,
            records.items.texts,
            most=records.flips,
            characters=records.characters,
            excerpt_characters=records.excerpt_characters,
        ),
    )


def _card(found: Environment, records: Records, variant: str) -> str:
    one = card(
        variant,
        tables=records.tables,
        toxigen=records.toxigen,
        red_team=records.red_team,
        config=records.configs[variant],
        mixture=records.mixtures[variant],
        training=records.trainings[variant],
        recipe=records.recipe,
    )
    drawn = charts.curves(
        {variant: records.curves[variant]}, x_label="tokens seen", y_label="training loss"
    )
    owners = {one.stage: _owner(one.instance, records.variants) for one in records.artifacts}
    return found.get_template("model.html.j2").render(
        one=one,
        curve=chart(drawn),
        seeds=records.seeds,
        teacher=records.teacher,
        stages=[stage for stage, owner in owners.items() if owner == variant],
        shade=charts.shade(records.variants.index(variant)),
        name=f"model-{variant}.html",
    )


def _owner(instance: str, variants: Sequence[str]) -> str | None:
    """The variant that a stage is of: its name may be the beginning of another one's."""
    own = [name for name in variants if f"{instance}-".startswith(f"{name}-")]
    return max(own, key=len, default=None)


def _artifact(
    found: Environment,
    records: Records,
    one: Artifact,
    funnels: Mapping[str, Sequence[funnel.Step]],
) -> str:
    """The page of an artifact with its data sheet."""
    corpus = one.instance or one.group
    above = chain(records.artifacts, one.stage)
    readers = [each for each in records.artifacts if one.stage in each.producers]
    steps = funnels.get(corpus, ()) if one.group in statistics.DATA_NOUNS else ()
    return found.get_template("artifact.html.j2").render(
        one=one,
        sheet=records.sheets[one.stage],
        about=about(one, records.teacher),
        facts=facts(one.summary),
        checks=statistics.checks([one]),
        above=above,
        readers=[each.stage for each in readers],
        drawing=chart(_drawn(records, {each.stage for each in (*above, one, *readers)})),
        corpus=corpus,
        steps=steps,
        funnel=chart(funnel.draw(corpus, steps)) if steps else None,
        name=page_of(one.stage),
    )


def _drawn(records: Records, shown: Collection[str]) -> str:
    """The lineage of some of the artifacts."""
    return lineage_drawing.draw(
        [
            Node(
                each.stage,
                each.group,
                each.hash,
                tuple(name for name in each.producers if name in shown),
                f"{each.stage} {each.hash}\n{each.desc}",
            )
            for each in records.artifacts
            if each.stage in shown
        ]
    )
