"""The annex: images with digests, and a bill of materials that says the same every time."""

import json

from dovetail.packaging import build, read_package
from dovetail.packaging.annex import ImageFacts, as_file, image_list, sbom
from dovetail.packaging.images import Image, UsedImage, parse_image

from .trees import with_metadata

DIGEST = f"sha256:{'d' * 64}"


def test_images_have_one_full_name() -> None:
    expected = {
        "nginx": Image("docker.io", "library/nginx"), "nginx:1.27": Image("docker.io", "library/nginx", "1.27"),
        "a/b:1": Image("docker.io", "a/b", "1"), "quay.io/a/b": Image("quay.io", "a/b"),
        "localhost:5000/x:1": Image("localhost:5000", "x", "1"),
        "index.docker.io/nginx": Image("docker.io", "library/nginx"),
        f"ghcr.io/a/b:1@{DIGEST}": Image("ghcr.io", "a/b", "1", DIGEST),
    }  # fmt: skip
    assert {text: parse_image(text) for text in expected} == expected
    for text in ("", "A/b", "a b", "a:b:c", "a@sha256:1", "/a", "a/", "http://a/b"):
        assert parse_image(text) is None, text


def test_the_list_and_the_bill() -> None:
    package = read_package(build(with_metadata("images: ['redis:7']")).data)
    used = [UsedImage("nginx:1.27", "Deployment a", "x:1"), UsedImage("nginx:1.27", "Deployment b", "x:2")]
    images = image_list(package, used, {"nginx:1.27": ImageFacts(DIGEST, ("linux/amd64",))})
    assert images["images"] == [
        {"image": "docker.io/library/nginx:1.27", "digest": DIGEST, "usedBy": ["Deployment a", "Deployment b"],
         "platforms": ["linux/amd64"]},
        {"image": "docker.io/library/redis:7", "digest": "", "usedBy": []},
    ]  # fmt: skip
    bill = sbom(package, images, "1.0", 0)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    kinds = {component["bom-ref"]: component for component in bill["components"]}
    assert kinds["package/backend"]["purl"] == "pkg:helm/backend@0.1.0"
    container = kinds["image:docker.io/library/nginx:1.27"]
    assert container["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]
    assert container["purl"].startswith("pkg:oci/nginx@sha256%3Add")
    assert bill["metadata"]["component"]["hashes"][0]["content"] == package.digest
    assert set(bill["dependencies"][0]["dependsOn"]) == set(kinds)
    assert as_file(bill) == as_file(sbom(package, images, "1.0", 0))
    assert json.loads(as_file(bill)) == bill
