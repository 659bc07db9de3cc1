"""The overview from plain records: nothing on it depends on when or where it was made."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from hornbook.report import charts, funnel, lineage_drawing, statistics
from hornbook.report.assemble import names_of, reasons
from hornbook.report.lineage_drawing import Node
from hornbook.report.statistics import Artifact

CORPUS_ORDER = ("books", "code", "web")


def page(
    environment: Environment,
    *,
    title: str,
    this_stage: Node,
    artifacts: Sequence[Artifact],
    tables: Mapping[str, Any],
    toxigen: Mapping[str, Any],
    red_team: Mapping[str, Any],
    curves: Mapping[str, Sequence[charts.Point]],
    trainings: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    comparisons: Sequence[Mapping[str, Any]],
) -> str:
    """The overview of the site as HTML.

    `artifacts` are in topological order; `curves` hold (tokens, loss) and `trainings` the final
    `eval_loss` and `eval_loss_by_source` by variant, with their errors where `seeds` are several.
    """
    nodes = [
        Node(one.stage, one.group, one.hash, one.producers, f"{one.stage} {one.hash}\n{one.desc}")
        for one in artifacts
    ]
    variants = [row["variant"] for row in tables["variants"]]
    models = names_of(tables)
    return environment.get_template("index.html.j2").render(
        title=title,
        tiles=_tiles(artifacts, tables),
        variants=_variants(tables, trainings),
        heldout=sorted({c for one in trainings.values() for c in one["eval_loss_by_source"]}),
        trainings=trainings,
        seeds=seeds,
        names=variants,
        models=models,
        graph=chart(lineage_drawing.draw([*nodes, this_stage])),
        tables=tables,
        reasons=reasons(tables),
        dots=chart(charts.dots(tables["micro"], models)) if tables["micro"] else None,
        toxigen=toxigen,
        red_team=red_team,
        bars=chart(charts.bars(toxigen["rows"], toxigen["groups"], models)),
        curves=chart(charts.curves(curves, x_label="tokens seen", y_label="training loss")),
        funnels=_funnels(artifacts),
        corpora=statistics.corpora(artifacts),
        teacher=statistics.teacher(artifacts),
        checks=statistics.checks(artifacts),
        artifacts=artifacts,
        comparisons=comparisons,
    )


def _funnels(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    """The funnel of each corpus as rows and as a picture."""
    return [
        {"name": name, "steps": steps, "chart": chart(funnel.draw(name, steps))}
        for name, steps in funnel.funnels(artifacts).items()
    ]


def chart(svg: str) -> Markup:
    """A drawing as a template takes it."""
    return Markup(svg)  # noqa: S704 - every text in it went through html.escape


def _tiles(artifacts: Sequence[Artifact], tables: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The page in a few numbers."""
    found = statistics.checks(artifacts)
    asked = statistics.teacher(artifacts)
    passed = sum(one["passed"] for one in found)
    total = sum(len(one["expectations"]) for one in found)
    cells = [cell for row in tables["micro"] for cell in row["cells"].values()]
    return [
        (str(len(artifacts)), "artifacts"),
        (statistics.size(sum(one.size_bytes for one in artifacts)), "in all"),
        (f"{passed}/{total}", "expectations met"),
        (f"{sum(bool(cell['signal']) for cell in cells)}/{len(cells)}", "micro scores above floor"),
        (f"${sum(one['cost_usd'] or 0 for one in asked):,.2f}", "teacher cost"),
    ]


def _variants(
    tables: Mapping[str, Any], trainings: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each variant with the shares of its training text, corpora in their order of priority."""
    found: list[dict[str, Any]] = []
    for row in tables["variants"]:
        drawn: Mapping[str, int] = row["drawn_tokens"]
        total = sum(drawn.values()) or 1
        names = [name for name in CORPUS_ORDER if name in drawn]
        names += sorted(set(drawn) - set(names))
        parts = [{"corpus": n, "tokens": drawn[n], "share": drawn[n] / total} for n in names]
        found.append({**row, "parts": parts, "loss": trainings[row["variant"]]["eval_loss"]})
    return found
