"""Looking at an extension's pages in the console, as an administrator who has just logged in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dovetail.cli.ksbuilder.browser import Page, browser
from dovetail.cli.ksbuilder.errors import PlatformRefused

_PATIENCE: Final = 15.0
_ROUTES: Final = """(() => {
  const context = window.globals && window.globals.context;
  if (!context) return null;
  const walk = (list, base) => (Array.isArray(list) ? list : []).flatMap((route) => {
    const path = route.path === undefined ? base : route.path.startsWith('/') ? route.path : `${base}/${route.path}`;
    return [...(route.element ? [path] : []), ...walk(route.children, path)];
  });
  const paths = walk(context.routes, '').filter((path) => path && !/[:*]/.test(path));
  return paths.length ? [...new Set(paths)] : null;
})()"""
_SHOWN: Final = """(() => {
  const problem = document.querySelector('[data-testid="extension-problem"]');
  if (problem) return { problem: problem.innerText };
  const main = document.querySelector('main');
  if (!main) return null;
  const text = main.innerText.trim();
  return text || main.querySelector('iframe, canvas, svg, img') ? { text: text.slice(0, 200) } : null;
})()"""


@dataclass(frozen=True, slots=True)
class Look:
    """What a page showed. `problem` is why it counts as broken; empty if it does not."""

    path: str
    text: str = ""
    problem: str = ""
    refused: tuple[str, ...] = ()


async def look(
    url: str, user: str, password: str, *, bundles: bool, entries: list[str], shots: Path | None
) -> list[Look]:
    """Every page of the extension, and its menu entries. `bundles`: there is a front end, so there must be pages."""
    async with browser() as page:
        await page.open(f"{url}/login")
        await page.until("document.readyState === 'complete'", _PATIENCE)
        body = json.dumps(json.dumps({"username": user, "password": password}))
        answer = await page.ask(
            "fetch('/oauth/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: "
            f"{body}}}).then((answer) => answer.status)"
        )
        if not isinstance(answer, int) or answer >= 300:
            raise PlatformRefused(url, f"it answers {answer} to the login")
        await page.open(f"{url}/")
        looks = [await _entry(page, title) for title in entries]
        routes: list[str] = await page.until(_ROUTES, _PATIENCE if bundles else 1.0) or []
        if bundles and not routes:
            why = "; ".join(page.complaints) or "the bundle was not loaded, or registers none"
            looks.append(Look("/", problem=f"there are no pages: {why}"))
        return [*looks, *[await _look(page, url, path, shots) for path in routes]]


async def _entry(page: Page, title: str) -> Look:
    """A menu entry is on the start page."""
    quoted = json.dumps(title)
    found = await page.until(
        f"[...document.querySelectorAll('a')].some((link) => link.innerText.includes({quoted}))", _PATIENCE
    )
    return Look("/", text=f"menu entry {title}", problem="" if found else f"the menu entry {title!r} is not there")


async def _look(page: Page, url: str, path: str, shots: Path | None) -> Look:
    await page.open(url + path)
    shown: dict[str, Any] = await page.until(_SHOWN, _PATIENCE) or {"problem": "it stays empty"}
    await page.until("document.readyState === 'complete'", _PATIENCE)
    await page.until("false", 0.5)  # what it fetches after its first look belongs to it
    if shots is not None:
        _keep(shots / f"{path.strip('/').replace('/', '-') or 'start'}.png", await page.picture())
    shown = await page.ask(_SHOWN) or shown
    problem = str(shown.get("problem", "")).strip() or "; ".join(page.complaints)
    own = tuple(line for line in page.refused if f" {url}/" in line)
    return Look(path, str(shown.get("text", "")), problem, own)


def _keep(path: Path, picture: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
