"""Repositories of every kind on a real API: a registry, a directory, Secrets, signatures, and two that share."""

import base64
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS, REPOSITORIES
from dovetail.kube import SECRETS, Client
from dovetail.packaging import provenance
from dovetail.packaging.package import read_package
from tests.conftest import KubeApi
from tests.ksbuilder.registries import needs_registry, registry
from tests.lifecycle.museum import Museum, repository, resync, until_synced, versions
from tests.lifecycle.platform import (
    controllers,
    ensure_namespace,
    make,
    package,
    plan,
    until,
    until_gone,
    until_settled,
)


async def secret(client: Client, name: str, **data: bytes) -> None:
    await ensure_namespace(client, "kubesphere-system")
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    await make(client, SECRETS, name, "kubesphere-system", data=encoded)


def condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [one for one in obj["status"]["conditions"] if one["type"] == kind]
    return found


async def test_a_password_from_a_secret_is_nowhere_else(platform_crds: KubeApi, museum: Museum, capfd: Any) -> None:
    museum.password = "s3cret-word"
    museum.add("quiet", "1.0.0", package("quiet", "1.0.0"))
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await repository(client, "quiet", museum.url, basicAuth={"secretRef": {"name": "quiet"}})
        obj = await until_synced(client, "quiet", "SecretUnusable")
        assert "kubesphere-system/quiet" in condition(obj, "Synced")["message"]
        await secret(client, "quiet", username=b"reader", password=b"s3cret-word")
        await resync(client, "quiet")
        await until_synced(client, "quiet")
        await plan(client, "quiet", "1.0.0")
        await until_settled(client, "quiet", "1.0.0")
        obj = await client.get(REPOSITORIES, "quiet")
        assert obj["status"]["lastSuccessTime"]
        assert "s3cret-word" not in str(obj)
        assert "s3cret-word" not in str(await client.get(EXTENSIONVERSIONS, "quiet-1.0.0"))
        await client.delete(INSTALLPLANS, "quiet")
        await until_gone(client, INSTALLPLANS, "quiet")
    captured = capfd.readouterr()
    assert "s3cret-word" not in captured.out + captured.err


@needs_registry
async def test_a_registry(platform_crds: KubeApi, tmp_path: Path) -> None:
    from dovetail.packaging.registry.client import Account, Registry
    from dovetail.packaging.registry.manifests import MANIFEST, push_of
    from dovetail.packaging.registry.references import parse

    with registry(tmp_path, user="reader", password="word") as host:
        pushed: dict[str, bytes] = {}
        account = Account("reader", "word")
        for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
            archive = pushed[version] = package("crate", version)
            target = parse(f"oci://{host}/shelf/crate:{version}")
            push = push_of(read_package(archive), archive)
            async with Registry(target, account=account) as client:
                for descriptor, data in push.blobs:
                    await client.put_blob(target, descriptor.digest, data)
                await client.put_manifest(target, push.manifest, MANIFEST)
        async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
            await secret(client, "crates", username=b"reader", password=b"word")
            spec = {"basicAuth": {"secretRef": {"name": "crates"}}, "depth": 2}
            await repository(client, "crates", f"oci://{host}/shelf", **spec)
            obj = await until_synced(client, "crates")
            assert (obj["status"]["extensions"], obj["status"]["versions"]) == (1, 2)
            assert await versions(client, "crate") == {"1.1.0", "2.0.0-rc.1"}
            found = await client.get(EXTENSIONVERSIONS, "crate-1.1.0")
            assert found["spec"]["digest"] == hashlib.sha256(pushed["1.1.0"]).hexdigest()
            await plan(client, "crate", "1.1.0")
            await until_settled(client, "crate", "1.1.0")
            await client.delete(INSTALLPLANS, "crate")
            await until_gone(client, INSTALLPLANS, "crate")


async def test_a_directory_only_where_the_administrator_allows_it(platform_crds: KubeApi, tmp_path: Path) -> None:
    allowed, other = tmp_path / "packages", tmp_path / "other"
    for directory in (allowed, other):
        directory.mkdir()
        (directory / "drawer-1.0.0.tgz").write_bytes(package("drawer", "1.0.0"))
    (allowed / "broken.tgz").write_bytes(b"no archive")
    (allowed / "way-out").symlink_to(other)
    async with (
        platform_crds.client() as client,
        controllers(platform_crds.kubeconfig, local_repositories=(allowed,)),
    ):
        for name, place in (("outside", other), ("sneaky", allowed / "way-out"), ("dots", f"{allowed}/../other")):
            await repository(client, name, f"file://{place}")
            obj = await until_synced(client, name, "IndexUnavailable")
            assert "below" in condition(obj, "Synced")["message"]
        await repository(client, "drawer", f"file://{allowed}")
        obj = await until_synced(client, "drawer", "PartlySynced")
        assert [failure["name"] for failure in obj["status"]["failures"]] == ["broken"]
        assert await versions(client, "drawer") == {"1.0.0"}
        await plan(client, "drawer", "1.0.0")
        await until_settled(client, "drawer", "1.0.0")
        await client.delete(INSTALLPLANS, "drawer")
        await until_gone(client, INSTALLPLANS, "drawer")


async def test_two_repositories_with_one_extension(platform_crds: KubeApi, museum: Museum, tmp_path: Path) -> None:
    museum.add("both", "1.0.0", package("both", "1.0.0"))
    (tmp_path / "both-2.0.0.tgz").write_bytes(package("both", "2.0.0"))
    async with (
        platform_crds.client() as client,
        controllers(platform_crds.kubeconfig, local_repositories=(tmp_path,)),
    ):
        await repository(client, "early", museum.url)
        await until_synced(client, "early")
        await repository(client, "late", f"file://{tmp_path}")
        for name in ("early", "late"):
            obj = await until_synced(client, name, "SharedExtensions")
            said = condition(obj, "Conflict")["message"]
            assert "both is offered by early (priority 0), late (priority 0); early gives it" in said
        assert await versions(client, "both") == {"1.0.0"}
        await client.patch(REPOSITORIES, "late", {"spec": {"priority": 5}})
        await until(lambda: versions(client, "both"), lambda found: "2.0.0" in found, "late's version")
        await resync(client, "early")
        assert await versions(client, "both") == {"2.0.0"}
        extension = await client.get(EXTENSIONS, "both")
        assert extension["metadata"]["labels"]["kubesphere.io/repository-ref"] == "late"
        assert [owner["name"] for owner in extension["metadata"]["ownerReferences"]] == ["late"]
        await client.delete(REPOSITORIES, "early")
        await resync(client, "late")
        obj = await until_synced(client, "late", "NoConflict")


async def test_only_what_is_signed_by_a_key_of_the_keyring(
    platform_crds: KubeApi, museum: Museum, tmp_path: Path
) -> None:
    keys, stranger = _key(tmp_path / "a"), _key(tmp_path / "b")
    for version, home, said in (
        ("1.0.0", keys, ""),
        ("1.1.0", stranger, ""),
        ("1.2.0", None, ""),
        ("1.3.0", keys, "f"),
    ):
        data = package("sealed", version)
        museum.add("sealed", version, data)
        if home is not None:
            museum.files[f"sealed-{version}.tgz.prov"] = _signed(home, "sealed", version, data, said * 64)
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await secret(client, "trusted", keys=_gpg(keys, "--export"))
        verification = {"keyringSecretRef": {"name": "trusted"}}
        await repository(client, "sealed", museum.url, verification=verification, depth=0)
        obj = await until_synced(client, "sealed", "PartlySynced")
        assert await versions(client, "sealed") == {"1.0.0"}
        told = {failure["version"]: failure["message"] for failure in obj["status"]["failures"]}
        assert told.keys() == {"1.1.0", "1.2.0", "1.3.0"}
        assert ".prov" in told["1.2.0"]
        assert "f" * 64 in told["1.3.0"]
        assert hashlib.sha256(museum.files["sealed-1.3.0.tgz"]).hexdigest() in told["1.3.0"]
        museum.files["sealed-1.0.0.tgz.prov"] = museum.files["sealed-1.1.0.tgz.prov"]
        await plan(client, "sealed", "1.0.0")
        obj = await until(
            lambda: client.get(INSTALLPLANS, "sealed"),
            lambda obj: "Unsigned" in str(obj.get("status")),
            "the refusal at the installation",
        )
        await client.delete(INSTALLPLANS, "sealed")
        await until_gone(client, INSTALLPLANS, "sealed")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"image": "docker.io/example/builtin:latest", "url": ""}, "NoNodes"),
        ({"url": ""}, "NothingToRead"),
        ({"url": "https://ada:word@charts.test"}, "InvalidRepository"),
        ({"url": "s3://bucket"}, "UnknownScheme"),
    ],
)
async def test_what_cannot_be_read_is_said(platform_crds: KubeApi, spec: dict[str, Any], reason: str) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await make(client, REPOSITORIES, reason.lower(), spec=spec)
        obj = await until_synced(client, reason.lower(), reason)
        assert obj["status"]["state"] == "Failed"


def _key(home: Path) -> Path:
    home.mkdir(mode=0o700)
    _gpg(
        home,
        "--passphrase",
        "",
        "--pinentry-mode",
        "loopback",
        "--quick-gen-key",
        "tests@example.org",
        "rsa2048",
        "sign",
    )
    return home


def _signed(home: Path, name: str, version: str, data: bytes, digest: str) -> bytes:
    chart = f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode()
    text = provenance.message(chart, f"{name}-{version}.tgz", digest or hashlib.sha256(data).hexdigest())
    return _gpg(home, "--digest-algo", "SHA512", "--clearsign", "--output", "-", stdin=text.encode())


def _gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", *arguments]
    try:
        return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
