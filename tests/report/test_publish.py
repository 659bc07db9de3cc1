"""What is published is the report of this checkout with what git and dvc.lock know of it."""

import shutil
import subprocess

import pytest
import yaml

from hornbook.__main__ import dispatch
from hornbook.artifacts import read_json, write_json, write_text
from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.workspace import Hasher
from hornbook.report.publish import publish
from tests.report.test_site import read

LR = "0.001"


def git(root, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def record(root):
    """`dvc.lock` as DVC would leave it, with every input and value."""
    graph, hasher, entries = load_graph(root), Hasher(root), {}
    for name, stage in graph.stages.items():
        entries[name] = {
            "cmd": stage.cmd,
            "deps": [{"path": path, "md5": hasher.hash(path)} for path in stage.deps],
            "params": {"params.yaml": graph.param_values(stage)},
            "outs": [{"path": stage.out, "md5": hasher.hash(stage.out), "size": 1000}],
        }
    write_text(root / "dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": entries}))


@pytest.fixture(scope="module")
def checkout(made, tmp_path_factory):
    """The invented workspace as a commit, with an experiment that trains at another rate."""
    root = tmp_path_factory.mktemp("checkout") / "a checkout"
    shutil.copytree(made, root)
    record(root)
    write_text(root / ".gitignore", "artifacts/\n.hornbook/\npending/\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "as it is")
    before = (root / "dvc.lock").read_text("utf-8")
    write_text(root / "dvc.lock", before.replace("lr: 0.006", f"lr: {LR}"))
    git(root, "commit", "-qam", "slower")
    git(root, "update-ref", "refs/exps/aa/bb/slow-rate", "HEAD")
    git(root, "checkout", "-q", "HEAD~1")
    write_json(
        root / ".hornbook/measurements/train@phi-1_5.json",
        {"seconds": 83.0, "cpu_seconds": 160.0,
         "out_hash": load_lock(root)["train@phi-1_5"].out_hash},
    )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def site(checkout, tmp_path_factory):
    out = tmp_path_factory.mktemp("published") / "site"
    count = publish(checkout, out)
    assert count == len(read_json(out / "site.json")["files"])
    return out


def test_it_is_ready_for_pages_and_its_links_lead_somewhere(site):
    assert (site / ".nojekyll").read_bytes() == b""
    pages = read(site)
    assert {"index.html", "record.html", "experiment-slow-rate.html"} <= set(pages)
    for name, page in pages.items():
        assert (name, page.wrong, page.open) == (name, [], [])
        for link in page.links:
            target, _, part = link.partition("#")
            assert not part or part in pages[target or name].ids, f"{name}: {link}"
        assert page.links.count("record.html") == 1, name
        assert "<!-- published" not in (site / name).read_text("utf-8")
    assert not {"summary.json", "expectations.json"} & {file.name for file in site.iterdir()}


def test_a_page_of_an_artifact_has_revision_hashes_and_what_it_took(site, checkout):
    text = (site / "artifact-train-phi-1_5.html").read_text("utf-8")
    assert git(checkout, "rev-parse", "HEAD") in text
    assert "<dd>83 s, 3 min of CPU</dd>" in text
    other = (site / "artifact-web_corpus.html").read_text("utf-8")
    assert "This stage took" not in other
    assert str(checkout) not in text + other


def test_an_experiment_names_first_causes(site):
    text = (site / "experiment-slow-rate.html").read_text("utf-8")
    assert f"parameter train.lr: 0.006 -&gt; {LR}" in text
    assert text.index("parameter train.lr") < text.index("</main>")
    assert ">train@phi-1_5</a>" in text


def test_the_same_record_gives_the_same_bytes_and_what_is_gone_goes(site, checkout, tmp_path):
    out = tmp_path / "again"
    publish(checkout, out)
    assert {f.name: f.read_bytes() for f in out.iterdir()} == {
        f.name: f.read_bytes() for f in site.iterdir()
    }
    write_text(out / "CNAME", "example.org")
    publish(checkout, out, [])
    assert not (out / "experiment-slow-rate.html").exists()
    assert (out / "CNAME").exists(), "a file that no call wrote stays"


def test_a_report_of_other_inputs_is_not_published(checkout, tmp_path):
    file = checkout / "artifacts/mixture/phi-1_5/mixture.json"
    before = file.read_text("utf-8")
    try:
        file.write_text(before + " ")
        with pytest.raises(ArtifactError, match=r"artifacts/mixture/phi-1_5.*hornbook run report"):
            publish(checkout, tmp_path / "site")
    finally:
        file.write_text(before)
    assert not (tmp_path / "site").exists()


def test_a_folder_of_something_else_is_left_alone(checkout, tmp_path):
    write_text(tmp_path / "thesis.tex", "years of work")
    with pytest.raises(ConfigError, match="is not empty and no site of hornbook"):
        publish(checkout, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unknown_experiment_is_told_with_those_there_are(checkout, tmp_path):
    with pytest.raises(ConfigError, match="no experiment 'fast'; there are: slow-rate"):
        publish(checkout, tmp_path / "site", ["fast"])


@pytest.mark.parametrize("form", [["--out", "here"], ["--out=here"]])
def test_the_command_line_publishes_where_it_is_told(checkout, tmp_path, monkeypatch, capsys, form):
    monkeypatch.chdir(checkout)
    out = tmp_path / "here"
    given = [one.replace("here", str(out)) for one in form]
    assert dispatch(["report", *given, "--experiment", "slow-rate"]) == 0
    assert "ready for GitHub Pages" in capsys.readouterr().out
    assert (out / "experiment-slow-rate.html").exists()
