"""Values that a record cannot hold are refused with their place."""

import pytest

from hornbook.errors import ConfigError
from hornbook.lineage.manifest import load_mapping


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x\n  b: *x\n", r"params\.yaml: a: b contains itself: a YAML anchor"),
        ("a: &x [1, *x]\n", r"params\.yaml: a: 1 contains itself"),
        ("left:\n  day: 2024-01-02\n", r"params\.yaml: left: day is .*a date: .*\"2024-01-02\""),
    ],
)
def test_what_cannot_be_recorded_is_named(tmp_path, text, told):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_mapping(tmp_path / "params.yaml")


def test_an_anchor_that_is_only_used_twice_is_a_value(tmp_path):
    (tmp_path / "params.yaml").write_text("a: &x {n: 1}\nb: *x\nc: 1e-3\nd: .nan\n")
    assert load_mapping(tmp_path / "params.yaml")["b"] == {"n": 1}
