"""Fixtures of the console's tests: a browser, and a console for it to look at."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dovetail.console.settings import STATIC
from tests.console.harness import Harness

# pytest-asyncio asks for "the" event loop before it sets one; asyncio then makes a loop that nobody ever closes, and
# its ResourceWarning fails whichever test runs when it is collected. After this call asyncio says there is none.
asyncio.set_event_loop(None)

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for a module's tests."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed; `make test` installs it as root")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def console() -> Iterator[Harness]:
    """A console that serves the built page."""
    if not (STATIC / "index.html").exists():
        pytest.skip("the page is not built; run `make web`")
    with Harness() as harness:
        yield harness


@pytest.fixture
def page(browser: Browser, console: Harness) -> Iterator[Page]:
    """A page of a signed-in user; `page.errors` collects what the browser complains about."""
    context = browser.new_context(viewport={"width": 1360, "height": 860}, locale="en-GB", base_url=console.url)
    context.add_cookies([{"name": "session", "value": "admin", "url": console.url}])
    context.set_default_timeout(15_000)
    page = context.new_page()
    yield page
    context.close()
