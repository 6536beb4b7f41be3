"""A person at the console: headless Chromium driven by Playwright, with an empty profile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Person:
    """One browser window on one platform. What the page complains about is kept in `complaints`."""

    def __init__(self, page: Page, url: str, shots: Path) -> None:
        self.page, self.url, self.shots = page, url, shots
        self.complaints: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def log_in(self, user: str, password: str) -> None:
        """Through the real login page."""
        self.page.goto(self.url + "/")
        self.page.wait_for_url("**/login*")
        self.page.get_by_label("User name").fill(user)
        self.page.locator("input[type=password]").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/login" not in url)
        self.complaints.clear()  # before the log-in the page asks who is there and is told 401

    def sees(self, text: str) -> None:
        """The text is on the page, now or in a moment."""
        self.page.get_by_text(text, exact=False).first.wait_for(state="visible")

    def opens(self, entry: str) -> None:
        """Click a menu entry by its title."""
        self.page.get_by_role("link", name=entry).first.click()

    def misses(self, entry: str) -> None:
        """The menu entry is gone, now or in a moment, without loading the page again."""
        self.page.get_by_role("link", name=entry).first.wait_for(state="detached")

    def shoot(self, name: str) -> Path:
        """Keep a picture of the page."""
        self.shots.mkdir(parents=True, exist_ok=True)
        path = self.shots / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@contextmanager
def person_at(url: str, shots: Path) -> Iterator[Person]:
    """Open a browser, close it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        try:
            context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
            context.set_default_timeout(15_000)
            yield Person(context.new_page(), url, shots)
        finally:
            browser.close()
