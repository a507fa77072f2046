"""A picture of a report: from its top to the end of its map, as Chromium draws it.

    w2vspark report OUTPUT --out report.html
    python docs/report_picture.py report.html docs/pictures/report.webp music

The third argument is the word whose neighbours are shown. It needs selenium (the extra `test`) and Debian's packages
chromium and chromium-driver.
"""

import base64
import shutil
import sys
import tempfile
import time
from pathlib import Path

WIDTH, QUALITY = 1180, 82  # of the window in pixels, and of the picture
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--force-prefers-reduced-motion")


def picture(report: Path, word: str) -> bytes:
    """The picture as WebP."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--window-size={WIDTH},1000", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            screen = {"width": WIDTH, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            driver.get(report.resolve().as_uri())
            driver.execute_script("choose(rowOf.get(arguments[0]))", word)
            end = "return document.getElementById('map').getBoundingClientRect().bottom + scrollY + 14"
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": driver.execute_script(end), "scale": 1}
            time.sleep(2)  # the map is drawn
            asked = {"captureBeyondViewport": True, "clip": clip, "format": "webp", "quality": QUALITY}
            return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", asked)["data"])
        finally:
            driver.quit()


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(picture(Path(sys.argv[1]), sys.argv[3]))
