"""Signing in with a real browser: no JavaScript, by keyboard, at a desk and on a phone."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import Engine

from earlybird.identity.service import grants
from earlybird.infra import db
from identity.conftest import HASHER, WORD, House
from make.business import business
from make.entrance import CTX

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FIRST = "Monsoon Terrace 77"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="NO CHROMIUM: the pages were not seen by a browser (apt-get install chromium)"
    ),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def house(fresh: Engine) -> House:
    with db.transaction(fresh) as session:
        business(session)
        grants.seed(session, CTX)
    found = House(fresh, over={"first_password": FIRST})
    found.add("admin", name="Asha", email="asha@example.com", phone="9876543210")
    found.add("driver", name="Prakash", phone="9876543210")
    hashed = HASHER.hash(FIRST)
    found.add("driver", name="New", email="new@example.com", password_hash=hashed, must_change_password=True)
    return found


@pytest.fixture
def address(house: House) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def typed(page: Any, words: str) -> None:
    """Type into the field that asks for the keyboard, which it does only after the page has loaded."""
    page.locator("main :focus").wait_for()
    page.keyboard.type(words)


def enter(page: Any) -> None:
    """Press Enter where the keyboard is, and wait for the page it leads to."""
    page.locator("main :focus").wait_for()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_every_way_in_by_keyboard_without_scripts(house: House, address: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    shots = Path(os.environ.get("EARLYBIRD_SHOTS", tmp_path))
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, scheme in ((1100, "light"), (360, "dark")):
            context = chromium.new_context(
                viewport={"width": width, "height": 760}, color_scheme=scheme, java_script_enabled=False
            )
            page = context.new_page()

            def seen(name: str, words: str, page: Any = page, width: int = width) -> None:
                page.screenshot(path=shots / f"{width}-{name}.png", full_page=True)
                assert words in page.locator("main").inner_text()
                for part in page.locator("main input, main button, main .panel, main h1, main p, main a").all():
                    box = part.bounding_box()
                    assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width), part.inner_text()

            def sign_in(email: str, password: str, page: Any = page) -> None:
                page.goto(f"{address}/sign-in")
                typed(page, email)
                page.keyboard.press("Tab")
                typed(page, password)
                enter(page)

            page.goto(f"{address}/sign-in")
            seen("sign-in", "With your phone")
            sign_in("asha@example.com", "some other words")
            seen("wrong", "do not belong together")
            page.goto(f"{address}/forgotten")
            seen("forgotten", "By phone")
            house.later(minutes=40)
            page.goto(f"{address}/sign-in")
            page.fill("input[name=phone]", "98765 43210")
            enter(page)
            typed(page, house.code())
            enter(page)
            seen("which", "choose yours")
            typed(page, house.code())
            page.check("text=Prakash")
            enter(page)
            seen("account", "Where you are signed in")
            sign_in("new@example.com", FIRST)
            seen("change", "Choose your own password")
            page.goto(f"{address}/account")
            seen("refused", "Change the password")
            sign_in("asha@example.com", WORD)
            page.goto(f"{address}/second-factor")
            enter(page)
            seen("enrolment", "Show this to your app")
            context.close()
        chromium.close()
