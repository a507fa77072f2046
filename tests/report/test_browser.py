"""The report in a real browser, from a file, without a network: it draws, answers and zooms, and logs no error."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_page import map_of
from versions import HOSTILE, matrix_of, metrics, publish, scores, words_of

from w2vspark.report import make_report, page

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no Chromium: install Debian's packages chromium and chromium-driver"
)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
    "--window-size=1280,900",
    "--force-prefers-reduced-motion",  # no smooth scrolling, during which a click would miss
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything on it."""
    folder = tmp_path_factory.mktemp("browser")
    words, matrix = words_of(600), matrix_of(600, seed=1)
    before = publish(folder / "vectors", "000001", words, matrix_of(600, seed=2), {"scores": scores(0.5)})
    more = {"scores": scores(0.6, threshold=0.7, passed=False), "metrics": metrics()}
    version = publish(folder / "vectors", "000002", words, matrix, more)
    (folder / "report.html").write_bytes(make_report(version, before, map_of(words, matrix)))
    return folder / "report.html"


@pytest.fixture
def opened(browser: webdriver.Chrome, file: Path) -> webdriver.Chrome:
    browser.get_log("browser")
    browser.get(file.as_uri())
    wait(lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    return browser


def wait(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of a condition."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the page did not get that far"
        time.sleep(0.05)
    return found


def text_of(browser: webdriver.Chrome, selector: str) -> str:
    return str(browser.find_element(By.CSS_SELECTOR, selector).text)


def words_of_answer(browser: webdriver.Chrome) -> list[str]:
    return [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#answer tbody td:first-child")]


def test_every_section_is_drawn_and_nothing_is_logged_or_loaded(opened):
    titles = [element.text for element in opened.find_elements(By.CSS_SELECTOR, "h2")]
    assert titles == ["Scores", "Neighbours", "Map", "Drift", "Training", "Stages", "Vocabulary", "The run"]
    wait(lambda: len(opened.find_elements(By.CSS_SELECTOR, "svg")) == 6)
    for drawing in opened.find_elements(By.CSS_SELECTOR, "svg"):
        assert drawing.get_attribute("aria-label") and drawing.size["height"] > 50
        assert "NaN" not in str(drawing.get_attribute("outerHTML"))
    shown = text_of(opened, "#scores")
    assert "failed" in shown and "+0.1" in shown and "340 of 353" in shown
    assert opened.get_log("browser") == []
    loaded = opened.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_the_search_box_suggests_words_and_answers_with_their_neighbours(opened):
    box = opened.find_element(By.ID, "word")
    box.click()
    box.send_keys("word7")
    suggested = [item.text.split("\n")[0] for item in opened.find_elements(By.CSS_SELECTOR, "#suggestions li")]
    assert suggested[:3] == ["word7", "word70", "word71"] and box.get_attribute("aria-expanded") == "true"
    box.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    wait(lambda: "word71" in text_of(opened, "#answer h3"))
    matrix = matrix_of(600, seed=1).astype(np.float64)
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    cosines = unit @ unit[71]
    cosines[71] = -2
    assert words_of_answer(opened) == [page.cut(words_of(600)[row]) for row in np.argsort(-cosines)[:10]]
    opened.execute_script("document.querySelector('#answer button.word').click()")
    wait(lambda: "word71" not in text_of(opened, "#answer h3"))
    box.click()
    box.send_keys("zzz")
    wait(lambda: "No word of the 600" in text_of(opened, "#neighbours"))
    assert opened.get_log("browser") == []


def test_hostile_words_are_shown_as_they_are(opened):
    for word in HOSTILE:
        opened.execute_script("choose(rowOf.get(arguments[0]))", page.cut(word))
        found = opened.execute_script("return document.querySelector('#answer mark').textContent")
        assert found == page.cut(word)
    assert opened.execute_script("return document.querySelectorAll('img, iframe, object').length") == 0
    assert opened.get_log("browser") == []


def test_the_map_zooms_and_shows_a_word_under_the_pointer(opened):
    plane = opened.find_element(By.ID, "plane")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plane)
    drawn = "const c = document.getElementById('plane'); return c.toDataURL()"
    before = wait(lambda: opened.execute_script(drawn))
    opened.execute_script("document.querySelector('button[aria-label=\"Zoom in\"]').click()")
    wait(lambda: plane.get_attribute("data-scale") == "1.600")
    wait(lambda: opened.execute_script(drawn) != before)
    plane.send_keys("+")
    wait(lambda: plane.get_attribute("data-scale") == "2.400")
    plane.send_keys("0")
    wait(lambda: plane.get_attribute("data-scale") == "1.000")
    size, hits = plane.size, 0
    for step in range(12):  # over the middle of the map, where words are
        pointer = ActionChains(opened, duration=0)
        pointer.move_to_element_with_offset(plane, int(size["width"] * (step - 6) / 30), 0).perform()
        if word := plane.get_attribute("data-hover"):
            hits += 1
            assert text_of(opened, "#tip").startswith(f"{word}\n") and "cluster: " in text_of(opened, "#tip")
            last = step
    assert hits
    pointer = ActionChains(opened, duration=0)
    pointer.move_to_element_with_offset(plane, int(size["width"] * (last - 6) / 30), 0).click().perform()
    word = plane.get_attribute("data-hover")
    wait(lambda: word in text_of(opened, "#answer h3"))
    legend = opened.find_elements(By.CSS_SELECTOR, ".legend button")
    opened.execute_script("arguments[0].click()", legend[0])
    assert legend[0].get_attribute("aria-pressed") == "true"
    assert opened.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_needs_no_scrolling_sideways(opened, scheme):
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    try:
        opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        wait(lambda: opened.execute_script("return innerWidth") == 360)
        assert opened.execute_script("return document.documentElement.scrollWidth") <= 360
        page_colour = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert page_colour == {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 21, 27)"}[scheme]
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert opened.get_log("browser") == []


def test_a_version_without_most_things_is_drawn_too(browser, tmp_path):
    version = publish(tmp_path / "vectors", words=["only", "two"], matrix=np.eye(2, dtype=np.float32), seconds={})
    (tmp_path / "r.html").write_bytes(make_report(version))
    browser.get_log("browser")
    browser.get((tmp_path / "r.html").as_uri())
    wait(lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    assert words_of_answer(browser) == ["two"] or words_of_answer(browser) == ["only"]
    shown = text_of(browser, "#content")
    for sentence in ("There is no map", "no earlier version", "no scores", "does not train in rounds", "no seconds"):
        assert sentence in shown
    assert browser.get_log("browser") == []
