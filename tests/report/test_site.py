"""The pages hang together, say what their artifacts say, and take all text for text."""

import re
import shutil
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from hornbook.artifacts import read_json, read_table, write_json, write_table
from hornbook.lineage.manifest import load_graph
from hornbook.report.comparison import pairs
from hornbook.report.report import report
from tests.hostile import LONG, TEXT, is_harmless
from tests.report.sample import VARIANTS, open_run, run_into_place, write_workspace

VOID = {"meta", "link", "br", "img"}
HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Ids, links, headings and what is loaded."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.open, self.wrong = [], [], [], [], []
        self.levels, self.landmarks, self.alts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        self.loads += [found[key] for key in ("src", "href") if key in found and tag != "a"]
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag in {"main", "nav", "header", "footer"}:
            self.landmarks.append(tag)
        if tag == "img":
            self.alts.append(found["alt"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


def read(folder):
    """The pages of a site by name."""
    return {file.name: Page(file.read_text("utf-8")) for file in sorted(folder.glob("*.html"))}


@pytest.fixture(scope="module")
def folder(made):
    return made / "artifacts/report/page"


@pytest.fixture(scope="module")
def pages(folder):
    return read(folder)


def test_there_is_a_page_for_each_artifact_variant_and_pair_and_no_other(made, pages):
    stages = [name for name in load_graph(made).stages if name != "report"]
    wanted = {"index.html", *(f"artifact-{name.replace('@', '-')}.html" for name in stages)}
    wanted |= {f"model-{name}.html" for name in VARIANTS}
    wanted |= {f"compare-{a}-with-{b}.html" for a, b in pairs(list(VARIANTS))}
    assert set(pages) == wanted


def test_every_page_is_well_formed_with_unique_ids(pages):
    for name, page in pages.items():
        assert (name, page.wrong, page.open) == (name, [], [])
        assert len(page.ids) == len(set(page.ids)), name


def test_every_link_leads_to_a_page_of_the_site_and_to_something_on_it(pages):
    for name, page in pages.items():
        for link in page.links:
            target, _, part = link.partition("#")
            found = pages[target or name]
            assert not part or part in found.ids, f"{name}: {link}"


def test_a_page_loads_only_what_lies_beside_it(pages, folder):
    for name, page in pages.items():
        beside = [one for one in page.loads if one != "data:,"]
        assert {"style.css", "site.js"} <= set(beside), name
        assert [one for one in beside if "/" in one or not (folder / one).is_file()] == []
    for file in folder.glob("*"):
        assert not re.search(rb"url\(|@import|fetch\(", file.read_bytes()), file.name


def test_a_page_has_its_landmarks_a_way_past_them_and_headings_without_a_gap(pages):
    for name, page in pages.items():
        assert {"main", "nav", "header", "footer"} <= set(page.landmarks), name
        assert page.links[0] == "#main", name
        assert page.levels[0] == 1, name
        assert page.levels.count(1) == 1, name
        steps = [b - a for a, b in zip(page.levels, page.levels[1:], strict=False)]
        assert max(steps) <= 1, f"{name}: {page.levels}"
        assert all(page.alts), name


def test_a_page_of_an_artifact_names_what_it_was_made_from_and_what_reads_it(pages, made):
    graph = load_graph(made)
    page = pages["artifact-train-phi-1_5.html"]
    stage = graph.stages["train@phi-1_5"]
    readers = [one for one in graph.consumers[stage.name] if one != "report"]
    for name in (*stage.producers, *readers):
        assert f"artifact-{name.replace('@', '-')}.html" in page.links


def test_values_are_those_that_the_stage_declares_and_no_expectation(folder):
    text = (folder / "artifact-train-phi-1_5.html").read_text("utf-8")
    assert ">train.lr</th>" in text
    assert ">0.006</td>" in text
    assert "train.expectations" not in text
    assert ">train.lr</th>" not in (folder / "artifact-web_corpus.html").read_text("utf-8")


def test_a_model_card_has_every_score_of_its_variant(made, folder):
    tables = read_json(made / "artifacts/report/tables/tables.json")
    for variant in VARIANTS:
        text = (folder / f"model-{variant}.html").read_text("utf-8")
        scores = text[text.index('id="scores"') : text.index('id="safety"')]
        cells = [row["cells"][variant] for row in tables["micro"]]
        assert all(f"{cell['value']:.3f} " in scores for cell in cells)
        assert scores.count(f"evaluate-{variant}-") >= len(cells)


def test_a_comparison_shows_items_that_only_one_side_has_right(made, folder):
    text = (folder / "compare-phi-1_5-with-phi-1_5-web.html").read_text("utf-8")
    assert "No item has different scores." in text, "the invented answers are all alike"
    file = made / "artifacts/evaluate/phi-1_5-micro/items.parquet"
    kept = read_table(file)
    try:
        rows = kept.to_pylist()
        rows[2] |= {"score": 1.0, "detail": HOSTILE + "\u202e"}
        write_table(file, pa.Table.from_pylist(rows, schema=kept.schema))
        run = open_run(made, "report")
        report(run)
        text = (run.out / "compare-phi-1_5-with-phi-1_5-web.html").read_text("utf-8")
    finally:
        write_table(file, kept)
    flips = text[text.index('class="flips"') : text.index("</ul>", text.index('class="flips"'))]
    assert flips.count("<li>") == 1
    assert "Question 2 of micro_mind" in flips
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\N{REPLACEMENT CHARACTER}" in flips
    assert HOSTILE not in text


def write_hostile(root):
    """Artifacts that hold what a teacher, a model, a crawled page or a file may have written."""
    write_json(root / "artifacts/topics/seeds/summary.json", {
        "rows": 3, "cost_usd": 0.0, "note": TEXT, "dropped": {TEXT: 1},
    })  # fmt: skip
    rows = [{"text": f"{LONG} {n}", "source": f"javascript:{TEXT}/{n}", "language": TEXT,
             "licence": TEXT, TEXT: n} for n in range(40)]  # fmt: skip
    write_table(root / "artifacts/web/corpus/part-00000.parquet", pa.Table.from_pylist(rows))
    file = root / "artifacts/evaluate/phi-1_5-micro/items.parquet"
    kept = read_table(file)
    answers = [{**row, "score": 1 - row["score"], "detail": TEXT} for row in kept.to_pylist()]
    write_table(file, pa.Table.from_pylist(answers, schema=kept.schema))
    curve = root / "artifacts/train/phi-1_5/curve.csv"
    lines = curve.read_text("utf-8").splitlines()
    for place, word in ((len(lines) // 2, "nan"), (-1, "inf")):
        cells = lines[place].split(",")
        lines[place] = ",".join([cells[0], *(word for _ in cells[1:])])
    curve.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, made):
    """The site of hostile artifacts."""
    root = tmp_path_factory.mktemp("hostile") / "w"
    shutil.copytree(made, root)
    write_hostile(root)
    run = open_run(root, "report")
    report(run)
    return run.out


def test_text_of_an_artifact_is_text_on_every_page(hostile):
    """What a teacher, a model, a crawled page or a file wrote can be markup."""
    texts = {file.name: file.read_text("utf-8") for file in hostile.glob("*.html")}
    assert [name for name, text in texts.items() if "<script>window" in text] == []
    assert [name for name, text in texts.items() if not is_harmless(text)] == []
    shown = texts["artifact-web_corpus.html"]
    assert shown.count("&lt;script&gt;window.ran=1&lt;/script&gt;") >= 10
    assert "10 of 40 documents, as short excerpts" in shown
    assert len(shown) < 200_000, "long texts are cut"
    found = {name: Page(text) for name, text in texts.items()}
    assert [name for name, page in found.items() if page.wrong or page.open] == []
    links = [link for page in found.values() for link in page.links]
    assert [link for link in links if ":" in link] == []


def test_a_loss_that_is_no_number_is_a_gap_that_is_told(hostile):
    text = (hostile / "model-phi-1_5.html").read_text("utf-8")
    drawn = text[text.index("<svg") : text.index("</svg>")]
    assert drawn.count("<polyline") == 2
    assert "phi-1_5, 2 points are no numbers" in drawn
    assert not re.search(r"\b(nan|inf)\b", drawn)


def test_the_same_artifacts_give_the_same_bytes(made, folder):
    run = open_run(made, "report")
    report(run)
    files = {file.name: file.read_bytes() for file in run.out.glob("*")}
    assert files == {file.name: file.read_bytes() for file in folder.glob("*")}
    assert not any(str(made).encode() in content for content in files.values())


def test_artifacts_that_are_only_recorded_have_pages_too(tmp_path):
    root = write_workspace(tmp_path, seeds=(0, 1), models=("wide",))
    for stage in ("benchmark_tables", "toxigen_plots", "report"):
        run_into_place(root, stage)
    pages = read(root / "artifacts/report/page")
    assert "artifact-train_seed-phi-1_5-1.html" in pages
    assert "artifact-evaluate_compared-wide.html" in pages
    for name, page in pages.items():
        for link in page.links:
            target, _, part = link.partition("#")
            assert not part or part in pages[target or name].ids, f"{name}: {link}"
