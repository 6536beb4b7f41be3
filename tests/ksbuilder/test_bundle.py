"""Bundles: made from a registry, proved, refused at any flipped byte, unpacked and loaded at another site."""

import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.packaging import PackagingError, build, read_directory, read_package
from dovetail.packaging.bundling.contents import Contents, File, ImageEntry, PackageEntry, encode, seal
from dovetail.packaging.bundling.errors import DamagedBundle, IncompleteBundle
from dovetail.packaging.bundling.making import Boxed, Layout, make
from dovetail.packaging.bundling.members import write_end, write_member
from dovetail.packaging.bundling.verifying import verify
from dovetail.packaging.registry.manifests import MANIFEST, Descriptor, digest_of

from .command import SAMPLES, inline, refusal, value
from .registries import needs_registry, registry

GREETER = SAMPLES / "greeter"
IMAGE = "docker.io/library/greeter-backend:0.1.0"


def image(folder: Path) -> tuple[Layout, dict[str, bytes]]:
    """The smallest image: a config, a layer and a manifest."""
    blobs = {
        digest_of(data): data for data in (b'{"architecture":"amd64","os":"linux"}', random.Random(1).randbytes(5000))
    }
    config, layer = ({"digest": digest, "size": len(data)} for digest, data in blobs.items())
    kinds = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": kinds[0], **config},
            "layers": [{"mediaType": kinds[1], **layer}],
        }
    ).encode()
    blobs[digest_of(manifest)] = manifest
    files: dict[str, Path] = {}
    for digest, data in blobs.items():
        files[digest] = folder / digest.removeprefix("sha256:")
        files[digest].write_bytes(data)
    return Layout({IMAGE: Descriptor(MANIFEST, digest_of(manifest), len(manifest))}, files), blobs


def bundle(folder: Path, change: Callable[[Layout], Layout] = lambda layout: layout) -> bytes:
    """A bundle with the greeter and its image."""
    data = build(read_directory(GREETER)).data
    out = io.BytesIO()
    make(out, [Boxed(read_package(data), data, images=(IMAGE,))], change(image(folder)[0]))
    return out.getvalue()


def test_a_whole_bundle(tmp_path: Path) -> None:
    data = bundle(tmp_path)
    assert data == bundle(tmp_path)
    found = verify(io.BytesIO(data))
    assert [one.name for one in found.contents.packages] == ["greeter"]
    assert [one.name for one in found.contents.images] == [IMAGE]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle to damage."""
    return bundle(tmp_path_factory.mktemp("blobs"))


def owner_of(data: bytes, at: int) -> str:
    """Whose byte this is, by a reader of its own."""
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if at < member.offset_data + -(-member.size // 512) * 512:
                return member.name
    return ""


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_flipped_byte_is_told_with_its_file(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedBundle) as refused:
        verify(io.BytesIO(bytes(flipped)))
    owner = owner_of(whole, at)
    named = refused.value.file
    # What the seal says and what is sealed tell of each other; the archive's end is told by the last file.
    assert not owner or named == owner or {owner, named} == {"bundle.json", "bundle.json.sha256"}
    assert str(refused.value).startswith(named)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_bundle_that_is_cut_short(whole: bytes, data: st.DataObject) -> None:
    with pytest.raises(DamagedBundle):
        verify(io.BytesIO(whole[: data.draw(st.integers(0, len(whole) - 1))]))


def test_a_bundle_that_goes_on(whole: bytes) -> None:
    with pytest.raises(DamagedBundle):
        verify(io.BytesIO(whole + b"x"))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_blob_that_is_missing(tmp_path: Path, which: int) -> None:
    def without(layout: Layout) -> Layout:
        gone = list(layout.blobs)[which]
        return Layout(layout.images, {digest: path for digest, path in layout.blobs.items() if digest != gone})

    with pytest.raises(IncompleteBundle, match="images/blobs/sha256/"):
        verify(io.BytesIO(bundle(tmp_path, without)))


def test_an_image_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(IncompleteBundle, match=r"the image .*greeter-backend:0.1.0 is missing, and greeter 0.1.0"):
        verify(io.BytesIO(bundle(tmp_path, lambda _: Layout({}, {}))))


def test_a_package_that_the_index_does_not_have() -> None:
    data = build(read_directory(GREETER)).data
    files = {"index.yaml": b"apiVersion: v1\nentries: {}\n", "charts/greeter-0.1.0.tgz": data}
    contents = encode(
        Contents(
            packages=(PackageEntry("greeter", "0.1.0", "charts/greeter-0.1.0.tgz"),),
            files=tuple(File(path, len(it), hashlib.sha256(it).hexdigest()) for path, it in files.items()),
        )
    )
    out = io.BytesIO()
    for path, content in {"bundle.json": contents, "bundle.json.sha256": seal(contents), **files}.items():
        write_member(out, path, len(content), [content])
    write_end(out)
    with pytest.raises(IncompleteBundle, match=r"greeter 0.1.0 in index.yaml is missing"):
        verify(io.BytesIO(out.getvalue()))


def test_the_command_tells_the_file(tmp_path: Path) -> None:
    copy = tmp_path / "greeter"
    shutil.copytree(GREETER, copy)
    value("bundle", copy, "-f", "site.tar", "--no-images", cwd=tmp_path)
    data = bytearray((tmp_path / "site.tar").read_bytes())
    at = data.index(b"charts/greeter-0.1.0.tgz\0") + 700
    data[at] ^= 4
    (tmp_path / "site.tar").write_bytes(data)
    sentence = refusal("bundle", "verify", "site.tar", cwd=tmp_path)
    assert sentence.startswith("charts/greeter-0.1.0.tgz: its bytes are not those that bundle.json names.")
    assert "is not what" not in sentence
    assert not (tmp_path / "out").exists()
    refusal("bundle", "unpack", "site.tar", "out", cwd=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_its_images(tmp_path: Path) -> None:
    inline("bundle", GREETER, "-f", "site.tar", "--no-images", cwd=tmp_path)
    assert value("bundle", "verify", "site.tar", cwd=tmp_path)["images"] == []
    inline("bundle", "unpack", "site.tar", "site", cwd=tmp_path)
    assert value("list", "site/charts", cwd=tmp_path)[0]["name"] == "greeter"


@pytest.mark.parametrize("index", [b"", b"[]", b"{}", b"{", b'{"manifests": 1}'])
def test_a_layout_that_is_none(index: bytes) -> None:
    blob = b"no manifest"
    files = {"images/index.json": index, f"images/blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob}
    listed = tuple(File(path, len(it), hashlib.sha256(it).hexdigest()) for path, it in files.items())
    contents = encode(Contents(images=(ImageEntry("docker.io/library/a:1", digest_of(blob)),), files=listed))
    out = io.BytesIO()
    for path, content in {"bundle.json": contents, "bundle.json.sha256": seal(contents), **files}.items():
        write_member(out, path, len(content), [content])
    write_end(out)
    with pytest.raises(PackagingError):
        verify(io.BytesIO(out.getvalue()))


@needs_registry
def test_from_one_site_to_another(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    with registry(tmp_path / "here") as here, registry(tmp_path / "there") as there:
        name = f"{here}/team/greeter-backend"
        digest = _pushed(here, name, tmp_path)
        copy = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
        for path in ("extension.yaml", "values.yaml"):
            text = (copy / path).read_text()
            (copy / path).write_text(text.replace("greeter-backend", name))
        sentence = refusal("bundle", copy, "-f", "site.tar", "--platform", "linux/arm64", cwd=tmp_path)
        assert "it is built for linux/amd64, not for linux/arm64" in sentence
        made = value("bundle", copy, "-f", "site.tar", "--platform", "linux/amd64", cwd=tmp_path)
        assert made["images"] == [{"name": f"{name}:0.1.0", "digest": digest}]
        first = (tmp_path / "site.tar").read_bytes()
        inline("bundle", copy, "-f", "again.tar", cwd=tmp_path)
        assert (tmp_path / "again.tar").read_bytes() == first
        assert value("bundle", "verify", "site.tar", cwd=tmp_path)["files"] == 7
        inline("bundle", "load", "site.tar", there, cwd=tmp_path)
        assert _manifest(there, "team/greeter-backend", "0.1.0") == digest
        inline("bundle", "unpack", "site.tar", "site", cwd=tmp_path)
        assert value("list", "site/charts", cwd=tmp_path)[0]["name"] == "greeter"
        assert json.loads((tmp_path / "site/images/index.json").read_text())["manifests"][0]["digest"] == digest


def _pushed(host: str, name: str, folder: Path) -> str:
    """Push the test's image as any client would; its digest."""
    import asyncio

    from dovetail.cli.ksbuilder.images import push_image
    from dovetail.cli.ksbuilder.oci import Registry
    from dovetail.packaging.registry.references import parse_image

    blobs = folder / "blobs"
    blobs.mkdir()
    layout, _ = image(blobs)
    (descriptor,) = layout.images.values()

    async def push() -> None:
        target = parse_image(f"{name}:0.1.0")
        async with Registry(target) as client:
            await push_image(client, target, descriptor.digest, blobs)

    asyncio.run(push())
    assert _manifest(host, "team/greeter-backend", "0.1.0") == descriptor.digest
    return descriptor.digest


def _manifest(host: str, repository: str, tag: str) -> Any:
    """The digest that a registry tells, asked by something else than our client."""
    import urllib.request

    url = f"http://{host}/v2/{repository}/manifests/{tag}"
    request = urllib.request.Request(url, headers={"Accept": MANIFEST}, method="HEAD")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Docker-Content-Digest"]
