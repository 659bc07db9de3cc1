"""The differences of two variants as a chart: a dot for each task with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from hornbook.plain import markup
from hornbook.report.charts import WIDTH, is_number, line, svg, text, ticks
from hornbook.report.wording import signed, task_name

LEFT, RIGHT, TOP, BOTTOM, LANE = 178.0, 26.0, 26.0, 26.0, 26.0


def draw(rows: Sequence[Mapping[str, Any]], first: str, second: str) -> str:
    """Differences in [-1, 1] with 95 % intervals; filled where a difference is significant."""
    reach = max(
        (abs(value) for row in rows for value in (row["difference"], row["low"], row["high"])
         if is_number(value)),
        default=0.1,
    )  # fmt: skip
    reach = max(reach * 1.08, 0.05)
    height = TOP + LANE * len(rows) + BOTTOM

    def at(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value + reach) / (2 * reach)

    body = [
        text(at(-reach), 12, f"{second} better", kind="axis"),
        text(at(reach), 12, f"{first} better", anchor="end", kind="axis"),
    ]
    for value in ticks(-reach, reach, 6):
        kind = "zero" if value == 0 else "grid"
        body += [
            line(at(value), TOP - 6, at(value), height - BOTTOM, kind),
            text(at(value), height - 8, signed(value)[:-1] if value else "0", anchor="middle"),
        ]
    for place, row in enumerate(rows):
        body += _row(row, TOP + LANE * (place + 0.5), at)
    return svg(
        WIDTH, height, f"{first} minus {second} by task, with 95 % intervals", body, "forest"
    )


def _row(row: Mapping[str, Any], y: float, at: Any) -> list[str]:  # noqa: ANN401 - float -> float
    shade = "v0" if row["difference"] >= 0 else "v1"
    name = f"{task_name(row['task'])} {row['metric']}"
    found = [text(LEFT - 10, y + 4, name, anchor="end", kind="name")]
    if not is_number(row["difference"]):
        return found
    if is_number(row["low"]) and is_number(row["high"]):
        found.append(line(at(row["low"]), y, at(row["high"]), y, f"whisker {shade}"))
    kind = "dot" if row["differs"] else "dot hollow"
    told = f"{name}: {signed(row['difference'])}"
    found.append(
        f'<circle class="{kind} {shade}" cx="{at(row["difference"]):.1f}" cy="{y:.1f}" r="5">'
        f"<title>{markup(told)}</title></circle>"
    )
    return found
