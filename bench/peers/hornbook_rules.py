"""Our decisions on a list of texts, as `datatrove_rules.py` writes datatrove's.

Arguments: the texts (a JSON list), where the decisions go (JSON), the folder of conf, and `rules`
where each rule is wanted alone; else the last line printed is the CPU seconds of all texts.
Thresholds are those of conf/web/paper.yaml; what datatrove has no rule for is off.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from hornbook.web import c4, fineweb, gopher, repetition
from hornbook.web.rules import decisions, judge
from hornbook.web.rules_config import Rules

NEVER = 10**9
FILTERS = (
    set(repetition.REASONS),
    set(gopher.REASONS),
    set(c4.REASONS) - {"short_paragraphs"},
    set(fineweb.REASONS),
)


def published(conf: Path) -> Rules:
    """The rules as published, and nothing of our own."""
    base, paper = (
        yaml.safe_load((conf / "web" / f"{name}.yaml").read_text("utf-8"))["corpus"]["rules"]
        for name in ("laptop", "paper")
    )
    merged = {
        key: value | paper.get(key, {}) if isinstance(value, dict) else value
        for key, value in base.items()
    }
    return replace(TypeAdapter(Rules).validate_python(merged), max_toxic_words=NEVER)


def main(texts: list[str], out: Path, rules: Rules, *, alone: bool) -> None:
    """Decide, time, write."""
    judge("", texts[0], rules)  # imports
    if alone:  # datatrove's paragraph filter is not one of its four, and off in conf
        rules = replace(rules, c4=replace(rules.c4, min_long_paragraphs=3))
        found = [decisions("", text, rules) for text in texts]
        rows = [
            sorted(one) + [f"filter_{n}" for n, words in enumerate(FILTERS) if one & words]
            for one in found
        ]
        out.write_text(json.dumps(rows), "utf-8")
        return
    start = time.process_time()
    verdicts = [judge("", text, rules) for text in texts]
    seconds = time.process_time() - start
    out.write_text(json.dumps([None if one.reason else one.text for one in verdicts]), "utf-8")
    print(seconds)


if __name__ == "__main__":
    main(
        json.loads(Path(sys.argv[1]).read_text("utf-8")),
        Path(sys.argv[2]),
        published(Path(sys.argv[3])),
        alone=sys.argv[4:] == ["rules"],
    )
