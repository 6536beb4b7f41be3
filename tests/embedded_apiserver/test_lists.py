"""Lists: snapshots in pages under concurrent writes, the table of resourceVersion and resourceVersionMatch, tokens that
are too old, counts, and large lists that leave room for others.

The table: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

import asyncio
import base64
import gzip
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.errors import BadRequest
from dovetail.embedded.apiserver.verbs.listoptions import read_token, token_for

from .conftest import Http, Server, config_map, connected

TOO_OLD = "The provided continue parameter is too old to display a consistent list result. You can start a new list"


@pytest.fixture
async def path(http: Http, namespace: str) -> str:
    """A namespace with ten objects."""
    found = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(10):
        body = config_map(f"c{number}", n=str(number))
        body["metadata"]["labels"] = {"odd": str(number % 2)}
        assert (await http("POST", found, body))[0] == 201
    return found


def names(body: Any) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


async def pages(http: Http, path: str, limit: int, query: str = "") -> list[Any]:
    found: list[Any] = []
    more = ""
    while True:
        code, page = await http("GET", f"{path}?limit={limit}{query}{more}")
        assert code == 200, page
        found.append(page)
        if not page["metadata"].get("continue"):
            return found
        more = f"&continue={quote(page['metadata']['continue'])}"


async def test_pages_are_of_one_snapshot_and_count_what_remains(http: Http, path: str) -> None:
    _, first = await http("GET", f"{path}?limit=4")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["c0", "c1", "c2", "c3"], 6)
    for target in ("c0", "c5"):
        await http("DELETE", f"{path}/{target}")
    await http("POST", path, config_map("c44"))
    token = quote(first["metadata"]["continue"])
    _, second = await http("GET", f"{path}?limit=4&continue={token}")
    assert (names(second), second["metadata"]["remainingItemCount"]) == (["c4", "c5", "c6", "c7"], 2)
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    _, rest = await http("GET", f"{path}?continue={token}")
    assert names(rest) == ["c4", "c5", "c6", "c7", "c8", "c9"]
    assert set(rest["metadata"]) == {"resourceVersion"}


async def test_with_a_selector_nobody_counts(http: Http, path: str) -> None:
    found = await pages(http, path, 2, "&labelSelector=odd%3D1")
    assert [names(page) for page in found] == [["c1", "c3"], ["c5", "c7"], ["c9"]]
    assert all("remainingItemCount" not in page["metadata"] for page in found)


async def test_the_table_of_versions(http: Http, path: str) -> None:
    _, before = await http("GET", path)
    old = before["metadata"]["resourceVersion"]
    await http("DELETE", f"{path}/c9")
    assert len(names((await http("GET", f"{path}?resourceVersion={old}&resourceVersionMatch=Exact"))[1])) == 10
    newer = "&resourceVersionMatch=NotOlderThan"
    for query in (
        "",
        "resourceVersion=0",
        f"resourceVersion=0{newer}",
        f"resourceVersion={old}",
        f"resourceVersion={old}{newer}",
    ):
        code, body = await http("GET", f"{path}?{query}")
        assert (code, len(names(body))) == (200, 9), query
    _, legacy = await http("GET", f"{path}?resourceVersion={old}&limit=3")  # exact, without saying so
    assert (legacy["metadata"]["resourceVersion"], legacy["metadata"]["remainingItemCount"]) == (old, 7)
    _, whole = await http("GET", f"{path}?resourceVersion=0&limit=3")  # any version: the limit does not count
    assert len(names(whole)) == 9
    assert (await http("GET", f"{path}/c1?resourceVersion={old}"))[0] == 200


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422,
         'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is '
         'forbidden for resourceVersion "0"'),
        ("resourceVersion=1&resourceVersionMatch=Some", 422,
         'resourceVersionMatch: Unsupported value: "Some": supported values: "Exact", "NotOlderThan", ""'),
        ("sendInitialEvents=true", 422, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
        ("resourceVersion=x", 400,
         'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid'),
        ("limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("continue=%21", 400, "invalid continue token: continue key is not valid"),
        ("resourceVersion=1&continue=e30", 400, "specifying resource version is not allowed when using continue"),
        ("resourceVersion=99999999", 504, "Timeout: Too large resource version: 99999999, current: "),
        ("watch=false&timeoutSeconds=x&limit=1&resourceVersion=99999999", 504, "Too large resource version"),
    ],
)  # fmt: skip
async def test_what_cannot_be_combined(http: Http, namespace: str, query: str, code: int, text: str) -> None:
    found, body = await http("GET", f"/api/v1/namespaces/{namespace}/configmaps?{query}")
    assert found == code, body
    assert text in body["message"]
    if code == 504:
        assert body["reason"] == "Timeout"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        assert body["details"] == {"causes": [cause], "retryAfterSeconds": 1}


@given(
    st.integers(1, 10**12),
    st.sampled_from(["", "n", "kube-system"]),
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
)
def test_tokens_read_back(rev: int, namespace: str, name: str) -> None:
    assert read_token(token_for(rev, (namespace, name))) == (rev, (namespace, name))


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_nonsense_tokens_are_refused(text: str) -> None:
    with suppress(BadRequest):
        read_token(text)


@pytest.mark.parametrize("start", ["../x", "a/../../b", "a//b", "./a"])
def test_a_token_cannot_leave_its_list(start: str) -> None:
    token = base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": 5, "start": start}).encode()).decode()
    with pytest.raises(BadRequest, match="continue key is not valid"):
        read_token(token.rstrip("="))


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Server]:
    """A server that forgets old versions after a moment."""
    running = Server(tmp_path, options=("--upkeep-seconds", "0.2", "--keep-seconds", "0.3"))
    running.start()
    yield running
    running.end()


async def test_tokens_survive_a_restart_and_then_grow_too_old(forgetful: Server) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    async with connected(forgetful) as http:
        for number in range(6):
            await http("POST", path, config_map(f"c{number}"))
        _, first = await http("GET", f"{path}?limit=2")
    await asyncio.to_thread(forgetful.end)
    await asyncio.to_thread(forgetful.start)
    token = quote(first["metadata"]["continue"])
    async with connected(forgetful) as http:
        assert names((await http("GET", f"{path}?limit=2&continue={token}"))[1]) == ["c2", "c3"]
        await http("POST", path, config_map("c22"))
        await http("DELETE", f"{path}/c5")
        async with asyncio.timeout(10):
            while (answer := await http("GET", f"{path}?limit=2&continue={token}"))[0] != 410:
                await asyncio.sleep(0.1)
                await http("POST", path, config_map("again"))
                await http("DELETE", f"{path}/again")
        status = answer[1]
        assert (status["reason"], status["code"]) == ("Expired", 410)
        assert status["message"].startswith(TOO_OLD)
        fresh = quote(status["metadata"]["continue"])
        _, page = await http("GET", f"{path}?limit=3&continue={fresh}")
        assert names(page) == ["c2", "c22", "c3"]  # as it is now, from where the old token stood
        _, last = await http("GET", f"{path}?continue={quote(page['metadata']['continue'])}")
        assert names(last) == ["c4"]
        exact = f"resourceVersion={first['metadata']['resourceVersion']}&resourceVersionMatch=Exact"
        code, body = await http("GET", f"{path}?{exact}")
        assert (code, body["reason"]) == (410, "Expired")
        assert body["message"] == "The resourceVersion for the provided list is too old."


async def test_pages_under_concurrent_writes_are_the_snapshot_of_the_first(http: Http, namespace: str) -> None:
    """A property, with a model: whatever is written meanwhile, the pages together are one past state."""
    path, chooser = f"/api/v1/namespaces/{namespace}/configmaps", random.Random(3)
    model: dict[str, str] = {}
    done = asyncio.Event()

    async def write() -> None:
        for number in range(250):
            name = f"c{chooser.randrange(30):02d}"
            if name not in model:
                model[name] = str(number)
                await http("POST", path, config_map(name, n=str(number)))
            elif chooser.random() < 0.4:
                del model[name]
                await http("DELETE", f"{path}/{name}")
            else:
                model[name] = str(number)
                await http("PUT", f"{path}/{name}", config_map(name, n=str(number)))
        done.set()

    async def read() -> int:
        count = 0
        while not done.is_set():
            found = await pages(http, path, chooser.randrange(1, 6))
            version = found[0]["metadata"]["resourceVersion"]
            paged = {item["metadata"]["name"]: item["data"]["n"] for page in found for item in page["items"]}
            exact = f"{path}?resourceVersion={version}&resourceVersionMatch=Exact"
            whole = {item["metadata"]["name"]: item["data"]["n"] for item in (await http("GET", exact))[1]["items"]}
            assert paged == whole
            count += 1
        return count

    _, count, other = await asyncio.gather(write(), read(), read())
    assert count + other > 5
    listed = {item["metadata"]["name"]: item["data"]["n"] for item in (await http("GET", path))[1]["items"]}
    assert listed == model


async def test_a_large_list_is_streamed_and_others_are_served_meanwhile(own_server: Server) -> None:
    path, count, text = "/api/v1/namespaces/default/configmaps", 1500, "x" * 1500
    async with connected(own_server) as http:
        gate = asyncio.Semaphore(64)

        async def create(number: int) -> None:
            async with gate:
                assert (await http("POST", path, config_map(f"c{number:05d}", text=text)))[0] == 201

        await asyncio.gather(*(create(number) for number in range(count)))
        slowest = 0.0
        listing = [asyncio.create_task(http("GET", path)) for _ in range(4)]
        while not all(task.done() for task in listing):
            begin = time.perf_counter()
            assert (await http("GET", f"{path}/c00000"))[0] == 200
            slowest = max(slowest, time.perf_counter() - begin)
        for task in listing:
            body = task.result()[1]
            assert names(body) == [f"c{number:05d}" for number in range(count)]
        assert slowest < 1.0  # the lists' own parsing happens in this process, too
        async with http.session.get(own_server.url + path, headers={"accept-encoding": "gzip"}) as response:
            assert response.headers["content-encoding"] == "gzip"
            assert len((await response.json())["items"]) == count
        async with http.session.get(
            f"{own_server.url}{path}?limit=200", headers={"accept-encoding": "gzip"}, auto_decompress=False
        ) as response:
            raw = await response.read()
            assert len(json.loads(gzip.decompress(raw))["items"]) == 200
        async with http.session.get(f"{own_server.url}{path}/c00000", headers={"accept-encoding": "gzip"}) as response:
            assert "content-encoding" not in response.headers


async def test_metadata_only_and_yaml_lists(http: Http, path: str) -> None:
    header = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
    _, body = await http("GET", f"{path}?limit=3", accept=header)
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert all(set(item) == {"kind", "apiVersion", "metadata"} for item in body["items"])
    async with http.session.get(http.server.url + path, headers={"accept": "application/yaml"}) as response:
        text = await response.text()
        assert text.startswith("apiVersion: v1\nitems:\n")
        assert len(yaml.safe_load(text)["items"]) == 10
