"""What the help texts show can be typed: their overrides compose."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from hornbook.__main__ import dispatch
from hornbook.compose import compose

ROOT = Path(__file__).resolve().parents[1]
OVERRIDE = re.compile(r"(?<![\w.-])'?((?:[a-z_]+\.)*[a-z_]+=(?:\[[0-9,]*\]|[0-9.]+))")
COMMANDS = ("", "plan", "run", "experiment", "experiment run", "verify", "diff", "explain")


def shown(capsys, command: str) -> list[str]:
    with suppress(SystemExit):
        dispatch([*command.split(), "--help"])
    return OVERRIDE.findall(capsys.readouterr().out)


def test_every_override_of_a_help_text_composes(capsys):
    found = {one for command in COMMANDS for one in shown(capsys, command)}
    assert {"train.optim.lr=0.004", "web.filter.threshold=4", "seeds=[0,1,2]"} <= found
    for one in sorted(found):
        key, _, value = one.partition("=")
        if not value.startswith("["):
            values = compose(ROOT, [one])
            for part in key.split("."):
                values = values[part]
            assert float(values) == float(value), one
    compose(ROOT, ["seeds=[0,1,2]"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_text(capsys, command):
    with suppress(SystemExit):
        dispatch([*command.split(), "--help"])
    assert "usage: hornbook" in capsys.readouterr().out
