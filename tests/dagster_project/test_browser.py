"""What a person sees in the Dagster UI, through Debian's chromium."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.dagster_project.ui import Ui, add_dagster
from tests.toy import make_toy

MISSING = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1600,1000",
)  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


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


@pytest.fixture(scope="module")
def browser():
    """A fresh chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = Service(str(shutil.which("chromedriver")))
        driver = webdriver.Chrome(options=options, service=service)
        yield driver
        driver.quit()


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
