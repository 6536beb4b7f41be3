"""Reading a package: lenient about taste, strict about identity."""

import pytest

from dovetail.packaging import build, read_package
from dovetail.packaging.archive import write_archive
from dovetail.packaging.checking import check
from dovetail.packaging.errors import InvalidMetadata, InvalidPermissions, PackagingError

from .trees import with_files, with_metadata


def repacked(changes: dict[str, str | None], root: str = "tiny") -> bytes:
    """The tiny package with files changed after packing."""
    files = {**read_package(build(with_files({})).data).files}
    for path, text in changes.items():
        if text is None:
            del files[path]
        else:
            files[path] = text.encode()
    return write_archive([(f"{root}/{path}", data) for path, data in files.items()])


def test_identity_must_be_one() -> None:
    other = "apiVersion: v2\nname: other\nversion: 0.1.0\n"
    with pytest.raises(InvalidMetadata, match="two identities"):
        read_package(repacked({"Chart.yaml": other}))
    with pytest.raises(InvalidMetadata, match="the archive's folder is elsewhere"):
        read_package(repacked({}, root="elsewhere"))


@pytest.mark.parametrize(("key", "value"), [("name", "../x"), ("name", "UPPER"), ("version", "one")])
def test_names_that_no_cluster_takes(key: str, value: str) -> None:
    metadata = with_metadata(f"{key}: {value}", without=key).files["extension.yaml"].decode()
    with pytest.raises(PackagingError):
        read_package(repacked({"extension.yaml": metadata}))


def test_faulty_permissions_refuse_the_package() -> None:
    with pytest.raises(InvalidPermissions):
        read_package(repacked({"permissions.yaml": "kind: ClusterRole\nrules: [{verbs: [get]\n"}))


def test_missing_fields_are_findings_not_refusals() -> None:
    package = read_package(repacked({"extension.yaml": "name: tiny\nversion: 0.1.0\n", "icon.svg": None}))
    assert {finding.code for finding in package.findings} >= {"field-missing"}
    assert package.icon == ""


def test_the_oldest_packages_have_only_a_chart() -> None:
    chart = (
        "apiVersion: v2\nname: tiny\nversion: 0.1.0\ndescription: Old\nkubeVersion: '>=1.19.0'\n"
        "annotations: {kubesphere.io/display-name: 'Tiny', kubesphere.io/installation-mode: Multicluster}\n"
        "maintainers: [{name: Me}]\n"
    )
    package = read_package(repacked({"extension.yaml": None, "Chart.yaml": chart}))
    metadata = package.metadata
    assert metadata.display_name == {"en": "Tiny"}
    assert metadata.description == {"en": "Old"}
    assert metadata.installation_mode == "Multicluster"
    assert metadata.provider["en"].name == "Me"
    assert package.findings[0].code == "metadata-missing"


def test_check_tells_everything_and_never_raises() -> None:
    tree = with_metadata("keyword: [a]", "installationMode: Nowhere")
    assert {finding.code for finding in check(tree)} == {"unknown-key", "mode-invalid"}
    assert [finding.code for finding in check(b"nothing")] == ["archive-broken"]
    assert check(build(with_files({"README.md": "# Tiny"})).data) == ()
    broken = with_files({"charts/backend/Chart.yaml": None})
    assert [(finding.code, finding.place) for finding in check(broken)] == [("chart-invalid", "tiny/charts/backend")]
    bundle = with_files({"charts/backend/files/index.js": "System.register(nothing)"})
    assert [finding.code for finding in check(bundle)] == ["bundle-unreadable"]
    permissions = with_files({"permissions.yaml": "rules: []"})
    (finding,) = check(permissions)
    assert (finding.code, finding.place) == ("permissions-invalid", "permissions.yaml:1")
    assert str(finding) == (
        "error permissions-invalid permissions.yaml:1: a document has no kind. "
        "Write it like a Kubernetes ClusterRole or Role: kind and rules."
    )


def test_a_hostile_sub_chart() -> None:
    evil = write_archive([("evil/../../x", b"")])
    with pytest.raises(PackagingError, match=r"charts/evil\.tgz"):
        build(with_files({"charts/evil.tgz": evil}))


def test_charts_inside_charts_end_somewhere() -> None:
    deep = "charts/a/" * 12
    chart = "name: a\nversion: 1.0.0\n"
    files: dict[str, bytes | str | None] = {f"{'charts/a/' * depth}Chart.yaml": chart for depth in range(1, 13)}
    with pytest.raises(PackagingError, match="nested too deeply"):
        build(with_files({**files, f"{deep}x": ""}))
