"""What a person sees in the Dagster UI, through Debian's chromium."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.chromium import MARKS
from tests.dagster_project.ui import Ui, add_dagster
from tests.toy import Toy, make_toy

ROOT = Path(__file__).resolve().parents[2]

pytestmark = MARKS


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    """The UI over a toy graph that DVC has run."""
    toy = make_toy(tmp_path_factory.mktemp("browser") / "a toy")
    add_dagster(toy.root)
    toy.dvc("repro", "-q")
    toy.commit("ran")
    one = Ui(toy.root).start()
    one.toy = toy
    yield one
    one.stop()


@pytest.fixture
def picture(browser, tmp_path):
    """Write a screenshot under a name, outside of git."""
    folder = Path(os.environ.get("HORNBOOK_SCREENSHOTS", tmp_path))
    return lambda name: browser.save_screenshot(str(folder / f"{name}.png"))


def text(browser) -> str:
    return browser.find_element("tag name", "body").text


def see(ui, browser, *words, seconds=60):
    ui.wait(lambda: all(word in text(browser) for word in words), seconds, f"{words} in the page")


def test_the_graph_shows_the_groups(ui, browser, picture):
    browser.get(f"http://127.0.0.1:{ui.port}/asset-groups")
    see(ui, browser, "base", "branch", "end")
    picture("groups")


def test_an_asset_materialises_at_the_press_of_its_button(ui, browser, picture):
    ui.wait(lambda: not ui.stale(), 60, "everything to be in sync")
    browser.get(f"http://127.0.0.1:{ui.port}/assets/base")
    see(ui, browser, "Materialize", "dvc/hash")
    button = next(
        b for b in browser.find_elements("tag name", "button") if b.text.startswith("Materialize")
    )
    button.click()
    ui.wait(lambda: ui.latest("base")["run"], 90, "a run of Dagster's own")
    see(ui, browser, "unchanged")
    picture("materialised")


def test_a_changed_value_shows_on_its_asset(ui, browser, picture):
    ui.toy.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    ui.wait(lambda: "branch/one" in ui.stale(), 60, "the change to show")
    browser.get(f"http://127.0.0.1:{ui.port}/assets/branch/one")
    see(ui, browser, "Unsynced")
    picture("unsynced")
    ui.toy.run("git", "checkout", "-q", "params.yaml")


def test_a_failed_run_shows_the_words_of_the_stage(ui, browser, picture):
    ui.wait(lambda: not ui.stale(), 60, "everything to be in sync")
    tool = ui.root / "tool.py"
    text_before = tool.read_text()
    tool.write_text("import sys; sys.exit('hornbook: ConfigError: no left.level')\n")
    try:
        ui.wait(lambda: "base" in ui.stale(), 60, "the code change to show")
        run = ui.launch(["base"])
        assert ui.finish(run)["status"] == "FAILURE"
        browser.get(f"http://127.0.0.1:{ui.port}/runs/{run}")
        see(ui, browser, "Failure: base failed: ConfigError: no left.level")
        picture("failed")
    finally:
        tool.write_text(text_before)


@pytest.fixture(scope="module")
def clone_ui(tmp_path_factory):
    """The UI over a clone of this checkout with its artifacts, where DVC's cache has them."""
    root = tmp_path_factory.mktemp("clone") / "a clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    cache = Toy(ROOT).dvc("cache", "dir").strip()
    toy = Toy(root)
    toy.dvc("cache", "dir", "--local", str((ROOT / cache).resolve()))
    if "ERROR" in toy.dvc("checkout", "-q", check=False):
        pytest.skip("artifacts of this commit are not in DVC's cache; hornbook run makes them")
    for key, value in (("user.name", "t"), ("user.email", "t@example.org")):
        toy.run("git", "config", key, value)
    one = Ui(root).start()
    one.toy = toy
    yield one
    one.stop()


def launch(ui, browser, config):
    """Type it into the Launchpad's editor as a person does, and press the button."""
    from selenium.webdriver import ActionChains, Keys

    browser.get("about:blank")
    address = f"http://127.0.0.1:{ui.port}/locations/hornbook/jobs/experiment/playground"
    browser.get(address)
    # what was typed last stands there again, else the example
    see(ui, browser, "Launch Run", "run_experiment", seconds=90)
    browser.find_element("css selector", ".CodeMirror").click()
    everything = ActionChains(browser).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL)
    everything.send_keys(Keys.DELETE, config).perform()

    def button():
        found = browser.find_elements("tag name", "button")
        return next((b for b in found if b.text.startswith("Launch Run") and b.is_enabled()), None)

    ui.wait(button, 30, "the button").click()
    ui.wait(lambda: "/runs/" in browser.current_url, 60, "the page of the run")
    return browser.current_url.rpartition("/")[2]


def test_an_experiment_typed_into_the_launchpad_becomes_a_partition(clone_ui, browser, picture):
    ui = clone_ui
    config = (
        "{ops: {run_experiment: {config: {name: short, targets: [report], "
        "overrides: [report.page.excerpt_characters=150]}}}}"
    )
    run = launch(ui, browser, config)
    told = ui.finish(run, 300)
    assert told["status"] == "SUCCESS", ui.messages(run)
    assert "short" in ui.partitions("experiments")
    shown = ui.latest("experiments")
    assert "Table 2" in shown["tables"]
    assert "report.page.excerpt_characters" in shown["difference"]
    assert ui.toy.run("git", "status", "--porcelain") == ""
    browser.get(f"http://127.0.0.1:{ui.port}/assets/experiments?partition=short")
    see(ui, browser, "report.page.excerpt_characters=150")
    picture("experiment")


@pytest.mark.parametrize(
    ("name", "override", "words"),
    [
        ("short", "web.filter.treshold=3", "allowed near it: web.filter.threshold"),
        ("no name", "web.filter.threshold=3", "no name"),
    ],
)
def test_a_mistyped_experiment_is_refused_in_its_first_line(
    clone_ui, browser, name, override, words
):
    config = f"{{ops: {{run_experiment: {{config: {{name: {name}, overrides: [{override}]}}}}}}}}"
    run = launch(clone_ui, browser, config)
    assert clone_ui.finish(run)["status"] == "FAILURE"
    failed = next(e for e in clone_ui.events(run) if e["__typename"] == "RunFailureEvent")
    assert words in failed["error"]["message"].splitlines()[0]
    see(clone_ui, browser, words)
