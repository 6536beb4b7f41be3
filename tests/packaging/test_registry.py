"""Registries as values: addresses, manifests, challenges."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging import build, read_package
from dovetail.packaging.registry.challenges import read as read_challenge
from dovetail.packaging.registry.errors import InvalidReference, UnusableManifest
from dovetail.packaging.registry.manifests import CHART, CONFIG, MANIFEST, chart_of, digest_of, push_of, read
from dovetail.packaging.registry.references import Reference, parse, parse_image, tag_of, version_of

from .trees import with_files

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        ("team/app:1", "docker.io/team/app:1"),
        ("ghcr.io/team/app:1", "ghcr.io/team/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("registry:5000/a/b/c:1", "registry:5000/a/b/c:1"),
        (f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b:1@{DIGEST}"),
    ],
)
def test_images_in_full(text: str, full: str) -> None:
    assert str(parse_image(text)) == full


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "host/../x", "a:b:c", "a@sha256:12", "x/" + "y:" + "t" * 200])
def test_what_is_no_image(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse_image(text)


def test_addresses() -> None:
    assert parse("oci://h.example:5000/a/b:1.0.0") == Reference("h.example:5000", "a/b", "1.0.0")
    assert parse(f"oci://[::1]:5000/a@{DIGEST}").is_local
    assert not parse("oci://localhost.example/a").is_local
    with pytest.raises(InvalidReference, match="does not begin with oci://"):
        parse("https://h/a")


@given(st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z0-9.]{1,8})?(\+[a-z0-9.]{1,8})?", fullmatch=True))
def test_versions_survive_as_tags(version: str) -> None:
    assert version_of(tag_of(version)) == version
    assert str(parse(f"oci://h/a:{tag_of(version)}").tag) == tag_of(version)


def test_a_package_as_a_manifest() -> None:
    archive = build(with_files({})).data
    push = push_of(read_package(archive), archive, b"signed")
    assert push == push_of(read_package(archive), archive, b"signed")
    parts = read(push.manifest, "x")
    chart, provenance = chart_of(parts, "x")
    assert (chart.digest, chart.size, chart.media_type) == (digest_of(archive), len(archive), CHART)
    assert provenance is not None
    assert parts.blobs[0].media_type == CONFIG
    config = next(data for blob, data in push.blobs if blob.media_type == CONFIG)
    assert json.loads(config)["name"] == "tiny"
    assert json.loads(push.manifest)["mediaType"] == MANIFEST


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps({"mediaType": MANIFEST, "config": value, "layers": value}).encode()
))  # fmt: skip
def test_whatever_a_registry_gives(data: bytes) -> None:
    with pytest.raises(UnusableManifest):
        chart_of(read(data, "x"), "x")


def test_challenges() -> None:
    bearer = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull"'
    challenge = read_challenge(bearer)
    assert challenge is not None
    assert challenge.url("other") == ("https://auth.example/token?service=registry.example&scope=repository%3Aa%3Apull")
    basic = read_challenge('Basic realm="x"')
    assert basic is not None
    assert basic.realm == ""
    assert read_challenge("Negotiate") is None
    assert read_challenge('Bearer realm="file:///etc/passwd"') is None
