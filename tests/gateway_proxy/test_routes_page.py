"""docs/routes.md does what it says: each example is applied, each request of the table under it is made."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.e2e.demo.platform import ROOT
from tests.gateway_proxy.applied import apply, compiled, serving
from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import ADMIN, bearer

PAGE = ROOT / "docs" / "routes.md"
_EXAMPLE = re.compile(r"```yaml\n([\s\S]*?)```\n(?:\n\| Request \| The backend gets \|\n\|[-|]+\|\n((?:\|.*\|\n)+))?")
_ROW = re.compile(r"\| `(\w+) (\S+)` \| (?:`([^`]+)`|(\d{3})(?: to `([^`]+)`)?) \|")


def _examples() -> Iterator[tuple[list[Any], list[tuple[str, ...]]]]:
    """Objects and rows: method, target, what the backend gets, or a status and perhaps a location."""
    for number, found in enumerate(_EXAMPLE.finditer(PAGE.read_text())):
        objects = list(yaml.safe_load_all(found[1]))
        for obj in objects:
            obj["metadata"] |= {"uid": f"{number}-{obj['metadata']['name']}"}
        rows = (found[2] or "").splitlines()
        matched = [_ROW.fullmatch(row) for row in rows]
        assert all(matched), [row for row, match in zip(rows, matched, strict=True) if not match]
        yield objects, [match.groups(default="") for match in matched if match]


async def test_examples() -> None:
    backend = await Backend().start()
    wrong: list[object] = []
    async with serving([], backend) as running:
        for objects, rows in _examples():
            problems = [problem for problem in compiled(objects).problems if problem.reason != "Shadowed"]
            assert problems == [], objects
            await apply(running, objects, backend)
            for method, target, expected, status, location in rows:
                backend.seen.clear()
                body = b"" if method in ("POST", "PUT") else None
                got = await running.once(method, target, bearer(ADMIN), body=body)
                seen = [f"{each.get('host')} {each.target}" for each in backend.seen]
                if (
                    (seen, got.status) != ([expected], 200)
                    if expected
                    else (seen or got.status != int(status) or (got.get("location") or "") != location)
                ):
                    wrong.append((target, got.status, got.get("location"), seen))
    assert wrong == []


def test_the_page_has_examples_of_every_kind() -> None:
    kinds = [obj["kind"] for objects, _ in _examples() for obj in objects]
    assert {"APIService", "ReverseProxy", "JSBundle"} == set(kinds)
    assert sum(len(rows) for _, rows in _examples()) >= 20
