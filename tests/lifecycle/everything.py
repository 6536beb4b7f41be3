"""Every object of an API as one value, so that two moments can be compared.

All kinds that the API serves and lists are read, in their preferred version; no list of kinds is written down here, so
none can be forgotten. What is left out is named in `KUBERNETES_OWN` and `BOOKKEEPING`, with the reason.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from dovetail.kube import ApiError, Client, key_of, preferred_resources

WAIT = 60.0
KUBERNETES_OWN: Mapping[str, str] = {
    "events": "what happened, told for an hour; each ends by itself",
    "leases.coordination.k8s.io": "heartbeats of whoever leads or lives",
}
BOOKKEEPING: Mapping[str, str] = {
    "resourceVersion": "counts writes, also those that changed nothing",
    "managedFields": "who wrote a field last, with the time",
}
Everything = dict[str, dict[str, Any]]
"""`Kind.group namespace/name` -> the object without its bookkeeping."""


async def everything(client: Client) -> Everything:
    """All objects there are now."""
    client.forget_discovery()
    served = preferred_resources(await client.discover_all(), ("list",))
    kinds = [entry.resource for entry in served if _name(entry.resource) not in KUBERNETES_OWN]
    limit = asyncio.Semaphore(8)

    async def of(resource: Any) -> list[Any]:
        async with limit:
            try:
                return list((await client.list(resource)).items)
            except ApiError as error:
                if error.code == 404:  # a kind that went between discovery and here
                    return []
                raise

    lists = await asyncio.gather(*map(of, kinds))
    found: Everything = {}
    for resource, objects in zip(kinds, lists, strict=True):
        for obj in objects:
            kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
            found[f"{kind} {key_of(obj).namespace}/{key_of(obj).name}"] = _plain(obj)
    return found


def differences(before: Everything, after: Everything) -> list[str]:
    """One line for each object that came, went or changed."""
    lines = [f"left: {name}" for name in after if name not in before]
    lines += [f"lost: {name}" for name in before if name not in after]
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            lines.append(f"changed: {name} {' '.join(_paths(before[name], after[name]))}")
    return sorted(lines)


async def until_equal(
    client: Client, before: Everything, expected: Callable[[str], bool] = lambda line: False
) -> list[str]:
    """Wait until everything is as it was but for the lines that are `expected`; those lines."""
    lines: list[str] = ["nothing was looked at"]
    try:
        async with asyncio.timeout(WAIT):
            while True:
                lines = differences(before, await everything(client))
                if all(map(expected, lines)):
                    return lines
                await asyncio.sleep(0.3)
    except TimeoutError:
        unexpected = [line for line in lines if not expected(line)]
        raise AssertionError("not as it was before:\n" + "\n".join(unexpected)) from None


def _name(resource: Any) -> str:
    if resource.group in ("", "events.k8s.io"):
        return str(resource.plural)
    return f"{resource.plural}.{resource.group}"


def _plain(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in BOOKKEEPING}
    return {**obj, "metadata": metadata}


def _paths(old: Any, new: Any, at: str = "") -> list[str]:
    """Where two values differ, with both."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [
            path
            for key in keys
            if old.get(key) != new.get(key)
            for path in _paths(old.get(key), new.get(key), f"{at}.{key}")
        ]
    return [f"{at}: {_short(old)} -> {_short(new)};"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 160 else f"{text[:160]}..."
