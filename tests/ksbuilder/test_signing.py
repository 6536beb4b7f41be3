"""ksbuilder package --sign and --annex, with the real gpg; Helm is the judge of the signature."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dovetail.cli.ksbuilder import signing
from dovetail.cli.ksbuilder.check_errors import SigningFailed
from dovetail.packaging.errors import PackagingError

from .command import SAMPLES, quick, refused
from .registries import needs_registry, registry

GREETER = SAMPLES / "greeter"
needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed (prepare_machine.sh)")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Keyrings: an author's secret and public keys, and a stranger's public key."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("author", "stranger"):
        home = folder / name
        home.mkdir(mode=0o700)
        environment = {**os.environ, "GNUPGHOME": str(home)}
        gpg = ["gpg", "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", "secret"]

        def run(*arguments: str, gpg: list[str] = gpg, environment: dict[str, str] = environment) -> None:
            subprocess.run([*gpg, *arguments], env=environment, check=True, capture_output=True, timeout=60)

        try:
            run("--quick-gen-key", f"{name} <{name}@example.org>", "ed25519", "sign")
            run("--output", str(folder / f"{name}.pub"), "--export")
            run("--output", str(folder / f"{name}.sec"), "--export-secret-keys")
        finally:
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    (folder / "passphrase").write_text("secret\n")
    return {path.name: path for path in folder.iterdir()}


@needs_gpg
def test_a_signature_is_helms(tmp_path: Path, keys: dict[str, Path]) -> None:
    options = ["--sign", "--key", "author", "--keyring", keys["author.sec"], "--passphrase-file", keys["passphrase"]]
    process = quick("package", GREETER, *options, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    archive = tmp_path / "greeter-0.1.0.tgz"
    assert process.stdout.endswith(f"signature saved to {archive}.prov\n")
    data, prov = archive.read_bytes(), (tmp_path / "greeter-0.1.0.tgz.prov").read_bytes()
    assert "author@example.org" in asyncio.run(signing.verify(archive.name, data, prov, keyring=keys["author.pub"]))
    for name, faulty, signature, ring in (
        (archive.name, data + b"x", prov, "author.pub"),
        ("other-0.1.0.tgz", data, prov, "author.pub"),
        (archive.name, data, prov, "stranger.pub"),
        (archive.name, data, prov.replace(b"version: 0.1.0", b"version: 0.1.1"), "author.pub"),
        (archive.name, data, b"nothing", "author.pub"),
    ):
        with pytest.raises((SigningFailed, PackagingError)):
            asyncio.run(signing.verify(name, faulty, signature, keyring=keys[ring]))


@needs_gpg
def test_signing_that_fails_says_why(tmp_path: Path, keys: dict[str, Path]) -> None:
    options = ["--sign", "--key", "nobody", "--keyring", keys["author.sec"], "--passphrase-file", keys["passphrase"]]
    sentence = refused(quick("package", GREETER, *options, cwd=tmp_path))
    assert sentence.startswith("greeter-0.1.0.tgz was not signed: ")
    assert not (tmp_path / "greeter-0.1.0.tgz.prov").exists()


def test_the_annex_lies_beside_the_archive(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert quick("package", GREETER, "--annex", "-d", folder, cwd=tmp_path).returncode == 0
    names = ["greeter-0.1.0.images.json", "greeter-0.1.0.sbom.json", "greeter-0.1.0.tgz"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    images = json.loads((tmp_path / "a" / names[0]).read_bytes())["images"]
    assert images == [
        {"image": "docker.io/library/greeter-backend:0.1.0", "digest": "", "usedBy": ["Deployment greeter-backend"]}
    ]
    bill = json.loads((tmp_path / "a" / names[1]).read_bytes())
    assert {"package/backend", "package/frontend"} <= {component["bom-ref"] for component in bill["components"]}


MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def put(host: str, repository: str, tag: str, architectures: list[str]) -> str:
    """Push an image for these machines by the registry's plain API; its digest."""
    import hashlib
    import urllib.request

    def send(method: str, url: str, data: bytes, kind: str) -> str:
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers.get("Location", "")

    def blob(data: bytes) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        place = send("POST", f"http://{host}/v2/{repository}/blobs/uploads/", b"", "application/octet-stream")
        joint = "&" if "?" in place else "?"
        send("PUT", f"{place}{joint}digest={digest}", data, "application/octet-stream")
        return {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(data)}

    entries: list[dict[str, object]] = []
    for architecture in architectures:
        config = blob(json.dumps({"os": "linux", "architecture": architecture}).encode())
        data = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        send("PUT", f"http://{host}/v2/{repository}/manifests/{digest}", data, MANIFEST)
        platform = {"os": "linux", "architecture": architecture}
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": len(data), "platform": platform})
    kind = "application/vnd.oci.image.index.v1+json"
    data = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    if len(architectures) == 1:
        kind, data = (
            MANIFEST,
            json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode(),
        )
    send("PUT", f"http://{host}/v2/{repository}/manifests/{tag}", data, kind)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@needs_registry
def test_registries_are_asked(tmp_path: Path) -> None:
    target = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    with registry(tmp_path) as host:
        both = put(host, "app/both", "1", ["amd64", "arm64"])
        put(host, "app/one", "1", ["amd64"])
        listed = "".join(f"  - {host}/app/{name}:1\n" for name in ("both", "one", "none"))
        text = (target / "extension.yaml").read_text()
        (target / "extension.yaml").write_text(text[: text.index("images:")] + f"images:\n{listed}")
        (target / "charts/backend/templates/x.yaml").write_text(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
            + "".join(f"    - {{name: {name}, image: '{host}/app/{name}:1'}}\n" for name in ("both", "one", "none"))
        )
        process = quick("check", "greeter", "--registries", "-o", "json", cwd=tmp_path, no_proxy="*")
        found = [(one["code"], one["message"]) for one in json.loads(process.stdout)["findings"]]
        codes = {code: message for code, message in found if f"{host}/app" in message}
        assert process.returncode == 1
        assert f"the registry has no {host}/app/none:1" in codes["image-not-found"]
        assert codes["image-architecture-missing"].startswith(f"{host}/app/one:1 is built for linux/amd64, not for")
        assert not any(
            "app/both" in message for code, message in found if code in ("image-not-found", "image-not-asked")
        )
        process = quick("package", "greeter", "--digests", cwd=tmp_path, no_proxy="*")
        images = json.loads((tmp_path / "greeter-0.1.0.images.json").read_bytes())["images"]
    (entry,) = (one for one in images if "app/both" in one["image"])
    assert (entry["digest"], entry["platforms"]) == (both, ["linux/amd64", "linux/arm64"])
