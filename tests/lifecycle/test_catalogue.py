"""Repositories, uploads, categories, subscriptions: on a real API, with a real index server."""

import asyncio
import base64
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import (
    CATEGORIES,
    EXTENSIONS,
    EXTENSIONVERSIONS,
    INSTALLPLANS,
    REPOSITORIES,
    SUBSCRIPTIONS,
)
from dovetail.kube import CONFIGMAPS, Client
from dovetail.lifecycle.fetching import Fetcher, FetchFailed, Origin
from tests.conftest import KubeApi
from tests.lifecycle.museum import Museum, repository, resync, until_synced, versions
from tests.lifecycle.platform import (
    controllers,
    ensure_namespace,
    make,
    package,
    plan,
    publish,
    until,
    until_gone,
    until_settled,
)


@contextlib.asynccontextmanager
async def platform(api: KubeApi) -> AsyncIterator[Client]:
    async with api.client() as client, controllers(api.kubeconfig):
        yield client


async def test_a_repository_brings_extensions_that_install(platform_crds: KubeApi, museum: Museum) -> None:
    museum.password = "secret"
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        museum.add("shelf", version, package("shelf", version))
    async with platform(platform_crds) as client:
        await make(client, CATEGORIES, "dev-tools", spec={"displayName": {"en": "Tools"}})
        auth = {"username": "reader", "password": "secret"}
        await repository(client, "museum", museum.url, basicAuth=auth)
        obj = await until_synced(client, "museum")
        assert (obj["status"]["extensions"], obj["status"]["versions"]) == (1, 3)
        assert await versions(client, "shelf") == {"1.1.0", "1.2.0", "1.3.0"}
        extension = await until(
            lambda: client.get(EXTENSIONS, "shelf"),
            lambda obj: obj.get("status", {}).get("recommendedVersion") == "1.3.0",
            "the recommendation",
        )
        assert extension["metadata"]["ownerReferences"][0]["name"] == "museum"
        await until(
            lambda: client.get(CATEGORIES, "dev-tools"),
            lambda obj: int(obj["metadata"].get("annotations", {}).get("kubesphere.io/count", 0)) >= 1,
            "the count",
        )
        await plan(client, "shelf", "1.2.0")
        await until_settled(client, "shelf", "1.2.0")

        museum.add("shelf", "2.0.0", package("shelf", "2.0.0"))
        museum.add("shelf", "2.1.0", package("shelf", "2.1.0"), digest="0" * 64)
        museum.drop("shelf", "1.1.0")
        museum.broken.add("shelf-1.3.0.tgz")
        asked = dict(museum.asked)
        await resync(client, "museum")
        obj = await until_synced(client, "museum", "PartlySynced")
        (failure,) = obj["status"]["failures"]
        assert failure["version"] == "2.1.0"
        assert "0" * 64 in failure["message"]
        assert hashlib.sha256(museum.files["shelf-2.1.0.tgz"]).hexdigest() in failure["message"]
        await resync(client, "museum")
        assert await versions(client, "shelf") == {"1.2.0", "1.3.0", "2.0.0"}, "one that is in use stays"
        assert museum.asked["shelf-1.3.0.tgz"] == asked["shelf-1.3.0.tgz"], "what is known is not fetched again"
        await client.delete(INSTALLPLANS, "shelf")
        await until_gone(client, INSTALLPLANS, "shelf")


async def test_an_error_is_never_read_as_a_removal(platform_crds: KubeApi, museum: Museum) -> None:
    museum.add("sturdy", "1.0.0", package("sturdy", "1.0.0"))
    async with platform(platform_crds) as client:
        await repository(client, "flaky", museum.url)
        await until_synced(client, "flaky")
        new = package("sturdy", "1.0.0", templates__more_yaml="")
        museum.drop("sturdy", "1.0.0")
        museum.add("sturdy", "1.0.0", new + b"\0")
        museum.broken.add("sturdy-1.0.0.tgz")
        await resync(client, "flaky")
        await until_synced(client, "flaky", "PartlySynced")
        assert await versions(client, "sturdy") == {"1.0.0"}
        museum.files["index.yaml"] = b"<html>maintenance</html>"
        await client.patch(REPOSITORIES, "flaky", {"status": {"lastSyncTime": None}}, subresource="status")
        await until_synced(client, "flaky", "InvalidIndex")
        museum.files["index.yaml"] = b"apiVersion: v1\nentries: {}\n"
        await client.patch(REPOSITORIES, "flaky", {"status": {"lastSyncTime": None}}, subresource="status")
        await until_synced(client, "flaky", "EmptyIndex")
        museum.broken.add("index.yaml")
        await client.patch(REPOSITORIES, "flaky", {"spec": {"depth": 2}})
        obj = await until_synced(client, "flaky", "IndexUnavailable")
        assert "500" in str(obj["status"]["conditions"])
        assert await versions(client, "sturdy") == {"1.0.0"}


async def test_a_slow_package_costs_itself_only_and_comes_later(platform_crds: KubeApi, museum: Museum) -> None:
    museum.add("tortoise", "1.0.0", package("tortoise", "1.0.0"))
    museum.add("hare", "1.0.0", package("hare", "1.0.0"))
    museum.slow.add("tortoise-1.0.0.tgz")
    async with platform(platform_crds) as client:
        strategy = {"registryPoll": {"interval": "10s"}, "timeout": "3s"}
        await repository(client, "race", museum.url, updateStrategy=strategy)
        obj = await until_synced(client, "race", "PartlySynced")
        (failure,) = obj["status"]["failures"]
        assert (failure["name"], "no time left" in failure["message"]) == ("tortoise", True)
        assert (await versions(client, "hare"), await versions(client, "tortoise")) == ({"1.0.0"}, set())
        museum.slow.clear()
        await client.patch(REPOSITORIES, "race", {"metadata": {"annotations": {"dovetail.dev/retry": "now"}}})
        await until_synced(client, "race")
        assert await versions(client, "tortoise") == {"1.0.0"}
        assert museum.asked["hare-1.0.0.tgz"] == 1


async def test_an_upload_with_nothing_but_a_reference_is_filled_in(platform_crds: KubeApi) -> None:
    async with platform(platform_crds) as client:
        await ensure_namespace(client, "kubesphere-system")
        data = base64.b64encode(package("bare", "1.0.0")).decode()
        where = {"name": "bare-upload", "namespace": "kubesphere-system"}
        await make(client, CONFIGMAPS, where["name"], where["namespace"], binaryData={"chart.tgz": data})
        reference = {**where, "key": "chart.tgz"}
        await make(client, EXTENSIONVERSIONS, "bare-1.0.0", spec={"chartDataRef": reference})
        extension = await until(
            lambda: _maybe(client, "bare"), lambda obj: obj and obj.get("status", {}).get("versions"), "the Extension"
        )
        assert extension["spec"]["displayName"] == {"en": "bare"}
        version = await client.get(EXTENSIONVERSIONS, "bare-1.0.0")
        assert version["metadata"]["labels"] == {
            "kubesphere.io/extension-ref": "bare",
            "kubesphere.io/category": "dev-tools",
        }
        assert version["spec"]["chartDataRef"] == reference
        await make(client, EXTENSIONVERSIONS, "wrong-1.0.0", spec={"chartDataRef": reference})
        told = await until(
            lambda: client.get(EXTENSIONVERSIONS, "wrong-1.0.0"), lambda obj: obj.get("status", {}).get("state"), "why"
        )
        assert "bare-1.0.0" in told["status"]["conditions"][0]["message"]


async def _maybe(client: Client, name: str) -> Any:
    found = await client.list(EXTENSIONS, field_selector=f"metadata.name={name}")
    return found.items[0] if found.items else None


async def test_a_subscription_is_a_plan(platform_crds: KubeApi) -> None:
    async with platform(platform_crds) as client:
        await publish(client, "seed", "1.0.0", package("seed", "1.0.0"))
        spec = {
            "enabled": True,
            "extension": {"name": "seed", "version": "1.0.0"},
            "targetNamespace": "seed-here",
            "config": {"color": "green"},
        }
        await make(client, SUBSCRIPTIONS, "seed-subscription", spec=spec)
        await until(
            lambda: client.get(SUBSCRIPTIONS, "seed-subscription"),
            lambda obj: obj.get("status", {}).get("state") == "Installed",
            "the mirrored state",
        )
        settings = await client.get(CONFIGMAPS, "settings", "seed-here")
        assert settings["data"]["color"] == "green"
        await make(client, SUBSCRIPTIONS, "late", spec=spec)
        late = await until(
            lambda: client.get(SUBSCRIPTIONS, "late"),
            lambda obj: obj.get("status", {}).get("conditions"),
            "the refusal",
        )
        assert "seed-subscription" in late["status"]["conditions"][0]["message"]
        await client.patch(SUBSCRIPTIONS, "seed-subscription", {"spec": {"enabled": False}})
        await until(
            lambda: client.get(INSTALLPLANS, "seed"),
            lambda obj: obj["status"].get("enabled") is False,
            "the plan to follow",
        )
        await client.patch(INSTALLPLANS, "seed", {"spec": {"enabled": True, "config": "color: blue\n"}})
        changed = await until(
            lambda: client.get(SUBSCRIPTIONS, "seed-subscription"),
            lambda obj: obj["spec"]["config"] == {"color": "blue"},
            "the subscription to follow the plan",
        )
        assert changed["spec"]["enabled"] is True
        await until(
            lambda: client.get(CONFIGMAPS, "settings", "seed-here"),
            lambda obj: obj["data"]["color"] == "blue",
            "the change in the release",
        )
        await client.delete(SUBSCRIPTIONS, "late")
        await client.delete(SUBSCRIPTIONS, "seed-subscription")
        await until_gone(client, INSTALLPLANS, "seed")


async def test_fetching_is_bounded_and_keeps_credentials_at_home(museum: Museum) -> None:
    museum.files |= {"large": b"x" * 200_000, "small": b"x"}
    museum.password = "secret"
    home = Origin(museum.url, "reader", "secret")
    async with Fetcher() as fetcher:
        assert await fetcher.get(f"{museum.url}/small", home, limit=10, timeout=10) == b"x"
        with pytest.raises(FetchFailed, match="larger"):
            await fetcher.get(f"{museum.url}/large", home, limit=100_000, timeout=10)
        with pytest.raises(FetchFailed, match="401"):
            await fetcher.get(
                f"{museum.url}/small", Origin("http://other.test", "reader", "secret"), limit=9, timeout=10
            )
        with pytest.raises(FetchFailed, match="ClientConnector"):
            await fetcher.get("http://127.0.0.1:1/x", Origin("http://127.0.0.1:1"), limit=9, timeout=10)


async def test_certificates_are_verified(tmp_path: Path) -> None:
    certificate, key = _self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Exception):
            asked = await reader.readuntil(b"\r\n\r\n")
            head = b"301 Gone\r\nLocation: http://127.0.0.1:9/" if b"/moved" in asked else b"200 OK"
            writer.write(b"HTTP/1.1 " + head + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/index.yaml"
    async with server, Fetcher() as fetcher:
        pem = await asyncio.to_thread(certificate.read_text)
        with pytest.raises(FetchFailed, match="Certificate"):
            await fetcher.get(url, Origin(url), limit=99, timeout=10)
        assert await fetcher.get(url, Origin(url, ca_pem=pem), limit=99, timeout=10) == b"ok"
        assert await fetcher.get(url, Origin(url, insecure=True), limit=99, timeout=10) == b"ok"
        with pytest.raises(FetchFailed, match="https to plain http"):
            await fetcher.get(f"{url}/moved", Origin(url, ca_pem=pem), limit=99, timeout=10)


def _self_signed(directory: Path) -> tuple[Path, Path]:
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "museum")])
    begin, end = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2024, 2090))
    built = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(private, hashes.SHA256())
    )
    certificate, key = directory / "tls.crt", directory / "tls.key"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    pkcs8 = serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))
    return certificate, key
