"""A real browser for tests of pages: Chromium without a window and without network."""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

MISSING = (
    "no Chromium with its driver here: tests in a browser are left out"
    " (Debian, Ubuntu: apt-get install chromium chromium-driver)"
)
FLAGS = (
    "--headless=new",
    "--window-size=1280,900",
    # root, as in a container, may not start Chromium's sandbox; the pages are our own
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    # a page that needs the network fails on every machine, not only on closed ones
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)
#: Seconds after which a page, or what is waited for on it, counts as missing.
PATIENCE = 30
#: What a page may name without asking anybody: its own parts.
INLINE = ("data:", "blob:", "about:", "chrome:", "devtools:")


class Browser:
    """A running Chromium, and what happened in it since the last `open`.

    `driver` is Selenium's own driver, for what has no helper here.
    """

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver
        self._console: list[dict] = []
        self._network: list[dict] = []

    def open(self, page: Path | str) -> None:
        """Load a page, a file or an address, and forget what came before it."""
        address = page.resolve().as_uri() if isinstance(page, Path) else page
        # a page whose address differs after its # alone would not be loaded anew
        self.driver.get("about:blank")
        self._read_logs()
        self._console.clear()
        self._network.clear()
        self.driver.get(address)

    def find(self, css: str, text: str | None = None) -> WebElement:
        """Wait for the first visible element of a CSS selector, by its whole text."""
        return self.wait(
            lambda: next(iter(self.find_all(css, text)), None),
            f"nothing visible is {css!r}"
            + (f" with the text {text!r}" if text else ""),
        )

    def find_all(self, css: str, text: str | None = None) -> list[WebElement]:
        """Return the elements of a CSS selector that are visible now."""
        return [
            element
            for element in self.driver.find_elements(By.CSS_SELECTOR, css)
            if element.is_displayed() and (text is None or element.text.strip() == text)
        ]

    def wait(self, condition, otherwise: str):
        """Return the first true value of a function; fail with a sentence."""
        # a page that draws itself anew takes elements away while they are looked at
        stale = [StaleElementReferenceException]
        return WebDriverWait(self.driver, PATIENCE, 0.05, stale).until(
            lambda _: condition(), f"{otherwise} at {self.driver.current_url}"
        )

    def console_errors(self) -> list[str]:
        """Return errors of scripts and of loading, as the console shows them."""
        self._read_logs()
        return [
            entry["message"] for entry in self._console if entry["level"] == "SEVERE"
        ]

    def requests(self) -> list[str]:
        """Return the addresses asked for, the page's own and its parts in it apart."""
        sent = self._events("Network.requestWillBeSent")
        return [
            event["request"]["url"]
            for event in sent
            if not event["request"]["url"].startswith(INLINE)
            and event["request"]["url"] != event["documentURL"].partition("#")[0]
        ]

    def failed_requests(self) -> list[str]:
        """Return what could not be loaded: address, and error or status from 400."""
        urls = {
            event["requestId"]: event["request"]["url"]
            for event in self._events("Network.requestWillBeSent")
        }
        return [
            *(
                f"{urls.get(event['requestId'], '?')}: {event['errorText']}"
                for event in self._events("Network.loadingFailed")
                if not event.get("canceled")
            ),
            *(
                f"{event['response']['url']}: {event['response']['status']}"
                for event in self._events("Network.responseReceived")
                if event["response"]["status"] >= 400
            ),
        ]

    def set_size(self, width: int, height: int = 900, phone: bool = False) -> None:
        """Set what a page takes for the size of its window, in CSS pixels.

        A window itself cannot be narrower than about 500 pixels. As on a phone means
        with its rules for the viewport, which a `meta` of the page may change.
        """
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": phone,
            },
        )

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.driver.execute_script(
            "const page = document.documentElement;"
            "return page.scrollWidth - page.clientWidth"
        )

    def screenshot(self, path: Path, whole: bool = False) -> Path:
        """Write a PNG of the window, or of the whole page, for people to look at."""
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": whole}
        )
        path.write_bytes(b64decode(shot["data"]))
        return path

    def reset(self) -> None:
        """Forget size, page and messages: the next test starts as the first one did."""
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.open("about:blank")

    def _events(self, method: str) -> list[dict]:
        self._read_logs()
        return [event["params"] for event in self._network if event["method"] == method]

    def _read_logs(self) -> None:
        """Take over what the driver noted; it gives every message once."""
        self._console += self.driver.get_log("browser")
        self._network += [
            json.loads(entry["message"])["message"]
            for entry in self.driver.get_log("performance")
        ]


@contextmanager
def running_browser(profile: Path) -> Iterator[Browser]:
    """Run Chromium on an empty profile directory; skip the test where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver_path = shutil.which("chromedriver")
    if not chromium or not driver_path:
        pytest.skip(MISSING)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    # with both paths given Selenium looks for no browser; this holds it to that
    os.environ["SE_OFFLINE"] = "true"
    os.environ["SE_AVOID_STATS"] = "true"
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver_path))
    try:
        driver.set_page_load_timeout(PATIENCE)
        yield Browser(driver)
    finally:
        driver.quit()
