"""The proof in a real browser: at a desk, on a phone, without JavaScript, by keyboard."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from sqlalchemy import Engine

from earlybird.main import create_app
from make.entrance import link
from make.month import NOW

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="NO CHROMIUM: the pages were not seen by a browser (apt-get install chromium)"
    ),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def address(business: Engine) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(create_app(business, lambda: NOW), log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_the_link_to_the_evidence(chromium: Any, address: str, business: Engine, width: int, scheme: str) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=width == 1280
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    def fits() -> None:
        body = page.locator("body").bounding_box()
        assert body is not None
        assert body["width"] <= width
        for part in page.locator("main .card, main .panel, main .trail li, main h1").all():
            box = part.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width, part.inner_text()

    page.goto(f"{address}/sign-in/{link(business)}")
    page.get_by_role("button", name="Sign me in").click()
    assert page.url == f"{address}/proof"
    assert page.locator(".card.lost .big").inner_text() == "₹1,471.49"
    fits()
    page.locator("select[name=month]").select_option("2025-12")
    page.get_by_label("Customer").fill("household 2")
    page.get_by_role("button", name="Show").click()
    assert page.locator("#table tbody tr").count() == 2
    fits()
    page.get_by_role("link", name="Household 2", exact=True).click()
    assert page.locator("tbody tr").first.inner_text().count("lost") == 1
    fits()
    page.get_by_role("link", name="Paneer").first.click()
    assert page.get_by_text("Not charged.").is_visible()
    fits()
    page.goto(f"{address}/nope")
    assert page.get_by_role("heading").inner_text() == "There is no such page."
    assert [text for text in said if "404" not in text] == []
    context.close()


def test_by_keyboard_alone(chromium: Any, address: str, business: Engine) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/sign-in/{link(business)}")
    page.locator("main button:focus").wait_for()  # the button has the focus by itself, a moment after loading
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/proof")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.tagName"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
    assert {"A", "BUTTON", "SELECT", "INPUT", "a"} <= seen
    context.close()


def test_words_and_marks_carry_what_colours_say(chromium: Any, address: str, business: Engine) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/sign-in/{link(business)}")
    page.get_by_role("button").click()
    for bad in page.locator("b.lost").all():
        assert bad.inner_text().startswith("▼")
    ratios = page.evaluate(
        """() => [...document.querySelectorAll('main p, main td, main th, main b, main .fine, main .tag')].map(e => {
            const rgb = s => s.match(/[0-9.]+/g).map(Number);
            const lum = c => { const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                               return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); };
            let under = e; while (under && (rgb(getComputedStyle(under).backgroundColor)[3] ?? 1) === 0) under = under.parentElement;
            const a = lum(rgb(getComputedStyle(e).color)), b = lum(rgb(getComputedStyle(under || document.body).backgroundColor));
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })"""
    )
    assert min(ratios) >= 4.5, "WCAG 2.2, 1.4.3: text stands out from its ground by 4.5 to 1"
    context.close()
