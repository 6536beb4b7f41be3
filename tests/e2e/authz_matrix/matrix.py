"""Ask every endpoint as every caller and compare what happened with the table.

Let through is any answer but 401 and 403; who is not logged in is refused with 401, so that he can log in. A 5xx is a
violation for everybody, and so is an answer that names the other tenant to somebody who has no business there.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from tests.e2e.authz_matrix.callers import ANONYMOUS, CALLERS, THEIRS, Tenants
from tests.e2e.authz_matrix.endpoints import Ask, Endpoint, ask
from tests.e2e.authz_matrix.table import Line

_AT_ONCE = 16


@dataclass
class Outcome:
    """What was asked and what was wrong, in sentences."""

    endpoints: int = 0
    checked: int = 0
    violations: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        return {
            "endpoints": self.endpoints, "callers": len(CALLERS), "checked": self.checked,
            "violations": len(self.violations),
        }  # fmt: skip


def unjudged(endpoints: Iterable[Endpoint], table: list[Line]) -> list[str]:
    """Endpoints that the table says nothing of, and lines of the table that no endpoint needs."""
    first = {endpoint: next((line for line in table if line.fits(endpoint)), None) for endpoint in endpoints}
    missing = [f"{endpoint.name}: the table has no verdict" for endpoint, line in first.items() if line is None]
    idle = [f"{line.text}: no endpoint is decided by this line" for line in table if line not in first.values()]
    return [*missing, *idle]


def check(tenants: Tenants, endpoints: list[Endpoint], table: list[Line]) -> Outcome:
    """The whole matrix."""
    outcome = Outcome(len({(one.method, one.path) for one in endpoints}), 0, unjudged(endpoints, table))
    asyncio.run(_check(tenants, endpoints, table, outcome))
    outcome.violations.sort()
    return outcome


async def _check(tenants: Tenants, endpoints: list[Endpoint], table: list[Line], outcome: Outcome) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)
    connector = aiohttp.TCPConnector(limit=_AT_ONCE, force_close=True)  # else aiohttp asks twice when one is cut
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=aiohttp.ClientTimeout(20)) as http:

        async def one(endpoint: Endpoint, caller: str, may: bool) -> None:
            async with slots:
                problem = await _asked(http, tenants, ask(endpoint, caller, tenants), caller, may)
            outcome.checked += 1
            if problem:
                outcome.violations.append(f"{endpoint.name} as {caller}: {problem}")

        async with asyncio.TaskGroup() as group:
            for endpoint in endpoints:
                line = next((line for line in table if line.fits(endpoint)), None)
                for caller in CALLERS if line else ():
                    group.create_task(one(endpoint, caller, line is not None and caller in line.may))


async def _asked(http: aiohttp.ClientSession, tenants: Tenants, asked: Ask, caller: str, may: bool) -> str:
    token = (
        await asyncio.to_thread(tenants.fresh_token, caller) if asked.own_session else tenants.tokens.get(caller, "")
    )
    headers = asked.headers | ({"Authorization": f"Bearer {token}"} if token else {})
    url = URL(tenants.world.url + asked.path + (f"?{asked.query}" if asked.query else ""), encoded=True)
    async with http.request(
        asked.method, url, headers=headers, data=asked.form or asked.body, allow_redirects=False
    ) as response:
        text = (await response.read()).decode(errors="replace")
    return judge(response.status, text, caller, may, names_them=asked.names_them)


def judge(code: int, text: str, caller: str, may: bool, *, names_them: bool) -> str:
    """What is wrong with an answer; empty when all is well."""
    if code >= 500:
        return f"answered {code}: {text[:200]}"
    if THEIRS in text and not names_them and caller != "platform-admin":
        return f"told of {THEIRS}: {text[:200]}"
    if may and code in (401, 403):
        return f"was refused with {code} and may: {text[:200]}"
    refusals = (401,) if caller == ANONYMOUS else (401, 403)
    if not may and code not in refusals:
        return f"got {code} and may not: {text[:200]}"
    return ""
