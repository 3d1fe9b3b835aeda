"""The browser of the tests sees errors, requests and widths: none passes unseen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml.settings import PROJECT_DIR

WHOLE = "<!doctype html><meta charset='utf-8'><h1>Whole</h1><p hidden>Unseen</p>"
BROKEN = (
    WHOLE
    + "<script src='https://example.org/missing.js'></script>"
    + "<img src='missing.png'><script>undefinedFunction()</script>"
)
WIDE = (
    "<!doctype html><meta name='viewport' content='width=device-width'>"
    "<style>body { margin: 0 } div { width: 500px }</style><div>wide</div>"
)


@pytest.fixture
def page(tmp_path):
    """Write a page and return its path."""

    def write(html: str) -> Path:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        return path

    return write


def test_a_whole_page_has_no_errors_and_asks_nobody(browser, page):
    browser.open(page(WHOLE))
    assert browser.find("h1").text == "Whole"
    assert browser.find_all("p") == []
    assert browser.console_errors() == []
    assert browser.requests() == []
    assert browser.failed_requests() == []


def test_errors_and_requests_are_seen_until_the_next_page(browser, page):
    path = page(BROKEN)
    browser.open(path)
    script = "https://example.org/missing.js"
    picture = (path.parent / "missing.png").as_uri()
    assert browser.requests() == [script, picture]
    assert sorted(browser.failed_requests()) == [
        f"{picture}: net::ERR_FILE_NOT_FOUND",
        f"{script}: net::ERR_NAME_NOT_RESOLVED",
    ]
    errors = browser.console_errors()
    assert len(errors) == 3
    assert any("undefinedFunction is not defined" in error for error in errors)
    browser.open(page(WHOLE))
    assert browser.requests() == browser.console_errors() == []


@pytest.mark.parametrize("phone", [False, True])
def test_a_window_is_as_narrow_as_it_is_told(browser, page, phone):
    browser.open(page(WIDE))
    assert browser.overflow() == 0
    browser.set_size(400, phone=phone)
    assert browser.overflow() == 100  # 500 - 400


def test_each_test_starts_with_a_wide_window(browser, page):
    browser.open(page(WIDE))
    assert browser.overflow() == 0


def test_a_screenshot_is_a_picture_of_the_size_of_the_window(browser, page, tmp_path):
    browser.open(page(WIDE))
    browser.set_size(390, 300)
    png = browser.screenshot(tmp_path / "page.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    # the header's first fields, after 16 bytes
    assert [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)] == [390, 300]


def test_what_is_not_there_is_named(browser, page, monkeypatch):
    monkeypatch.setattr("browser.PATIENCE", 0.1)
    browser.open(page(WHOLE))
    with pytest.raises(Exception, match="nothing visible is 'h2' with the text 'Who'"):
        browser.find("h2", "Who")


def test_without_chromium_tests_are_skipped_and_say_what_to_install():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs"),
            f"{Path(__file__)}::test_each_test_starts_with_a_wide_window",
        ],
        cwd=PROJECT_DIR,
        env={"PATH": "", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    assert "apt-get install chromium chromium-driver" in done.stdout
