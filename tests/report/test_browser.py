"""The site in Debian's chromium: from files, on a phone, in the dark, with a keyboard."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from hornbook.report.comparison import pairs
from hornbook.report.report import report
from tests.chromium import MARKS
from tests.report.sample import VARIANTS, open_run
from tests.report.test_site import write_hostile

needs_axe = pytest.mark.skipif(
    find_spec("axe_core_python") is None, reason="not installed: axe-core-python"
)
PHONE, DESKTOP = 360, 1280
FIRST, SECOND = pairs(list(VARIANTS))[0]
KINDS = (
    "index.html",
    "artifact-synthetic_books.html",
    "artifact-train-phi-1_5.html",
    f"model-{FIRST}.html",
    f"compare-{FIRST}-with-{SECOND}.html",
)
# axe would fetch style sheets once more, which a browser forbids to a page of the file system
AXE = """const done = arguments[0];
axe.run(document, {preload: false, resultTypes: ["violations"]}).then(done);"""
pytestmark = MARKS


@pytest.fixture(scope="module")
def folder(made):
    return made / "artifacts/report/page"


def look(browser, file, width=DESKTOP, scheme="light"):
    """Open a page as a screen of this width in this scheme shows it."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wanted = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    browser.get(file.as_uri())


def told(browser):
    """What the console has said since it was asked last."""
    return [one["message"] for one in browser.get_log("browser")]


def test_every_page_loads_without_a_word_on_the_console_and_fits_a_phone(browser, folder):
    told(browser)
    for file in sorted(folder.glob("*.html")):
        look(browser, file, PHONE)
        assert told(browser) == [], file.name
        styled = "return getComputedStyle(document.querySelector('.skip')).position"
        assert browser.execute_script(styled) == "absolute", f"{file.name} has no style sheet"
        wide = browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert wide[0] <= PHONE, f"{file.name} scrolls sideways: {wide}"


@needs_axe
@pytest.mark.parametrize(("scheme", "width"), [("light", DESKTOP), ("dark", PHONE)])
@pytest.mark.parametrize("name", KINDS)
def test_axe_finds_nothing_serious(browser, folder, name, scheme, width):
    look(browser, folder / name, width, scheme)
    assert serious(browser) == []


def serious(browser):
    """What axe finds wrong with the page that is open, the first place of each."""
    import axe_core_python

    axe = Path(axe_core_python.__file__).with_name("axe.min.js")
    browser.set_script_timeout(120)
    browser.execute_script(axe.read_text("utf-8"))
    found = browser.execute_async_script(AXE)["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


@needs_axe
def test_axe_would_find_text_that_is_too_pale_and_a_page_of_no_language(browser, folder):
    look(browser, folder / "index.html")
    browser.execute_script(
        """document.querySelector("h1").style.color = "#eee";
        document.documentElement.removeAttribute("lang");"""
    )
    found = {one.partition(":")[0] for one in serious(browser)}
    assert {"color-contrast", "html-has-lang"} <= found


def test_colours_follow_the_scheme(browser, folder):
    seen = {}
    for scheme in ("light", "dark"):
        look(browser, folder / "index.html", scheme=scheme)
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        seen[scheme] = sum(int(part) for part in colour.strip("rgb()").split(","))
    assert seen["dark"] < 200
    assert seen["light"] > 600


def test_links_lead_on_and_the_keyboard_reaches_the_content(browser, folder):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    look(browser, folder / "index.html")
    browser.find_element(By.LINK_TEXT, f"Model card of {FIRST}").click()
    assert browser.title == f"Model card of {FIRST} - hornbook"
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    assert browser.switch_to.active_element.rect["x"] >= 0
    box = browser.find_element(By.CSS_SELECTOR, ".scroll")
    browser.execute_script("arguments[0].focus()", box)
    assert browser.switch_to.active_element == box


def test_the_filter_keeps_the_rows_with_what_was_typed(browser, folder):
    from selenium.webdriver.common.by import By

    look(browser, folder / "index.html")
    rows = "#artifacts tbody tr"
    before = len(browser.find_elements(By.CSS_SELECTOR, rows))
    browser.find_element(By.CSS_SELECTOR, "input.filter").send_keys("Tokens@")
    shown = [one for one in browser.find_elements(By.CSS_SELECTOR, rows) if one.is_displayed()]
    assert 3 <= len(shown) < before
    assert all("tokens@" in one.text for one in shown)
    assert before == sum(1 for _ in folder.glob("artifact-*.html"))


def test_hostile_text_runs_nothing_and_stays_in_its_page(browser, made, tmp_path):
    root = tmp_path / "w"
    shutil.copytree(made, root)
    write_hostile(root)
    run = open_run(root, "report")
    report(run)
    told(browser)
    for name in (
        "index",
        "artifact-web_corpus",
        "artifact-topic_seeds",
        f"compare-{FIRST}-with-{SECOND}",
    ):
        look(browser, run.out / f"{name}.html", PHONE)
        assert told(browser) == [], name
        assert browser.execute_script("return window.ran === undefined"), name
        assert browser.execute_script("return document.querySelectorAll('footer').length") == 1
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= PHONE, f"{name} scrolls sideways"


def test_on_a_phone_tables_are_folded_until_a_link_leads_into_one(browser, folder):
    is_open = "return document.querySelector('#table4').closest('details').open"
    tall = "return document.documentElement.scrollHeight"
    look(browser, folder / "index.html", PHONE)
    assert browser.execute_script(is_open) is False
    folded = browser.execute_script(tall)
    browser.execute_script("location.hash = 'table4'")
    from selenium.webdriver.support.ui import WebDriverWait

    assert WebDriverWait(browser, 10).until(lambda one: one.execute_script(is_open))
    look(browser, folder / "artifact-web_corpus.html")
    look(browser, folder / "index.html")
    assert browser.execute_script(is_open) is True
    look(browser, folder / "index.html", PHONE)
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert browser.execute_script(tall) > 2 * folded
