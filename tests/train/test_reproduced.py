"""The first steps of a training made again, beside those that were recorded."""

from dataclasses import replace

import pytest
import yaml

from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.reproduction import Asked
from hornbook.lineage.verify import verify
from hornbook.lineage.workspace import Hasher
from tests.train.conftest import SETTINGS, SHAPE
from tests.train.workspace import REPOSITORY, Workspace

STEPS = 60
NAME = "train@toy"


def record(root) -> None:
    """What DVC would write into `dvc.lock`."""
    graph, hasher = load_graph(root), Hasher(root)
    stage = graph.stages[NAME]
    entry = {
        "cmd": stage.cmd,
        "deps": [{"path": path, "md5": hasher.hash(path)} for path in stage.deps],
        "params": {"params.yaml": graph.param_values(stage)},
        "outs": [{"path": stage.out, "md5": hasher.hash(stage.out)}],
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {NAME: entry}}))


@pytest.fixture
def trained(start):
    """A trained and recorded variant."""
    made = Workspace(start("a", steps=STEPS).root, SHAPE, replace(SETTINGS, dtype="bfloat16"))
    made.run()
    record(made.root)
    (made.root / "src").symlink_to(REPOSITORY / "src")
    declared = yaml.safe_load((made.root / "dvc.yaml").read_text())
    declared["stages"]["train"]["do"]["meta"] = {"processor": True}
    (made.root / "dvc.yaml").write_text(yaml.safe_dump(declared))
    return made


def verified(work, sample, tolerance=1e-2, *, again=True):
    lines: list[str] = []
    found = verify(work.root, [NAME], Asked(sample, tolerance, again), lines.append)
    assert not list((work.root / ".hornbook/verify").glob("*"))
    return found


def write_curve(work, lines):
    (work.out / "curve.csv").write_text("\n".join(lines) + "\n")
    record(work.root)


def test_a_sample_compares_the_curve_and_the_order(trained):
    lines = (trained.out / "curve.csv").read_text().splitlines()
    found = verified(trained, 10)
    receipt = found.receipts[NAME]
    assert (found.status, receipt["result"], receipt["remade"]) == (0, "bit-equal", None)
    assert receipt["sample"] == {"steps": 10, "of": STEPS}
    assert receipt["compared"] == f"5 rows of the curve to step 10, order of all {STEPS} steps"
    assert verified(trained, 9, again=False).before == [NAME]

    loss = lines[2].split(",")[2]
    changed = lines[2].replace(loss, f"{float(loss) * 1.005:.7g}")
    write_curve(trained, [*lines[:2], changed, *lines[3:]])
    near = verified(trained, 6, tolerance=1e-2).receipts[NAME]
    assert near["result"] == "within tolerance"
    assert near["largest"]["place"] == "line 3, column loss"
    assert near["largest"]["relative"] == pytest.approx(0.005, rel=0.02)

    # the changed row is after the end of this sample, but the order is another one now
    facts = (trained.out / "metrics.json").read_text()
    digest = next(line for line in facts.splitlines() if '"digest"' in line)
    (trained.out / "metrics.json").write_text(facts.replace(digest, ' "digest": "0",'))
    record(trained.root)
    found = verified(trained, 1, tolerance=1e-2)
    assert (found.status, found.receipts[NAME]["first"]["place"]) == (1, "digest")


def test_as_many_steps_as_there_are_is_the_whole_artifact(trained, monkeypatch):
    found = verified(trained, STEPS)
    receipt = found.receipts[NAME]
    assert (receipt["result"], receipt["sample"]) == ("bit-equal", None)
    assert receipt["remade"] == load_lock(trained.root)[NAME].out_hash
    assert verified(trained, 3, again=False).before == [NAME], "the whole says more than a sample"
    monkeypatch.setenv("HORNBOOK_LOG_SECONDS", "none")
    failed = verified(trained, 3)
    assert failed.status == 2
    assert "runtime.log_seconds='none'" in failed.errors[NAME]
