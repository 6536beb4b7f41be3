"""A headless Chromium that looks at pages, spoken to in its own protocol (CDP) over one WebSocket.

Only what `ksbuilder test` needs: open an address, ask the page something, and hear what it complains about.
"""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from dovetail.cli.ksbuilder import processes
from dovetail.cli.ksbuilder.errors import BrowserFailed, NoBrowser

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS: Final = (
    "--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1280,800", "--lang=en-US",
)  # fmt: skip
_STARTED: Final = b"DevTools listening on "
_PATIENCE: Final = 30.0


def find_browser() -> str:
    """The program. Raises NoBrowser."""
    for name in (os.environ.get("CHROMIUM", ""), *_NAMES):
        if name and (path := shutil.which(name)):
            return path
    raise NoBrowser


class Page:
    """One page. `complaints` are errors and exceptions, `refused` answers of 400 and more, since the last `open`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session = ""
        self.complaints: list[str] = []
        self.refused: list[str] = []

    async def attach(self) -> None:
        """Make the page."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = str(attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command and its result. Raises BrowserFailed."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        session = {"sessionId": self._session} if self._session else {}
        try:
            await self._socket.send_json({"id": number, "method": method, "params": parameters, **session})
            async with asyncio.timeout(_PATIENCE):
                told = await answer
        except TimeoutError as error:
            raise BrowserFailed(f"{method} had no answer within {_PATIENCE:.0f} s") from error
        except ConnectionError as error:
            raise BrowserFailed("it is gone") from error
        finally:
            self._waiting.pop(number, None)
        if "error" in told:
            raise BrowserFailed(f"{method}: {told['error'].get('message')}")
        return told.get("result", {})

    async def listen(self) -> None:
        """Hear answers and events until the browser is gone."""
        try:
            async for message in self._socket:
                value: dict[str, Any] = message.json()
                answer = self._waiting.get(value.get("id", 0))
                if answer is None:
                    self._hear(value.get("method", ""), value.get("params", {}))
                elif not answer.done():
                    answer.set_result(value)
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError())

    def _hear(self, event: str, told: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            said = details.get("exception", {}).get("description") or details.get("text", "")
            self.complaints.append(str(said).split("\n")[0])
        elif event == "Network.responseReceived" and told["response"]["status"] >= 400:
            self.refused.append(f"{told['response']['status']:.0f} {told['response']['url']}")

    async def open(self, url: str) -> None:
        """Go to an address."""
        self.complaints, self.refused = [], []
        await self.call("Page.navigate", url=url)

    async def ask(self, expression: str) -> Any:
        """The value of an expression in the page; promises are waited for."""
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return result.get("result", {}).get("value")

    async def until(self, expression: str, seconds: float) -> Any:
        """The first value of an expression that counts as true; the last one when the time is over."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            value = await self.ask(expression)
            if value or asyncio.get_running_loop().time() > end:
                return value
            await asyncio.sleep(0.1)

    async def picture(self) -> bytes:
        """The page as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def browser() -> AsyncGenerator[Page]:
    """A browser with an empty profile and one page. Raises NoBrowser, BrowserFailed."""
    program = find_browser()
    sandbox = ("--no-sandbox",) if os.getuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="ksbuilder-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, *_FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank",
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            address = await _address(process)
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                tasks = [asyncio.create_task(page.listen()), asyncio.create_task(_drained(process))]
                try:
                    await page.attach()
                    yield page
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        except aiohttp.ClientError as error:
            raise BrowserFailed(str(error)) from error
        finally:
            await processes.end(process)


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            async for line in process.stderr:
                if line.startswith(_STARTED):
                    return line.removeprefix(_STARTED).decode().strip()
    raise NoBrowser


async def _drained(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(1 << 16):
        pass
