"""Building: what goes in, what comes out, and what is refused."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging import build, read_package
from dovetail.packaging.builder import DEFAULT_TIME
from dovetail.packaging.errors import InvalidChart, InvalidMetadata, InvalidYaml, PackagingError, UnreadableTree
from dovetail.packaging.tree import Tree, without_bom

from .trees import FILES, with_files, with_metadata


def member_order(data: bytes) -> list[str]:
    """The members of an archive, in order."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_a_tree_becomes_a_package() -> None:
    archive = build(with_files({}))
    assert archive.name == "tiny-0.1.0.tgz"
    assert archive.findings == ()
    package = read_package(archive.data)
    assert (package.name, package.version, package.digest) == ("tiny", "0.1.0", archive.digest)
    assert package.values == "backend: {replicas: 1}\n"
    assert [chart.name for chart in package.chart.charts] == ["backend"]
    assert package.permissions.namespace[0].resources == ("configmaps",)
    assert package.icon.startswith("data:image/svg+xml;base64,PHN2ZyB4")
    assert package.chart.metadata.icon == package.icon


def test_members_are_in_helms_order() -> None:
    extra = {
        "README.md": "", "templates/a.yaml": "", "values.schema.json": "{}",
        "charts/aaa/Chart.yaml": "name: zzz\nversion: 1.0.0", "charts/aaa/values.yaml": "",
        "Chart.lock": "digest: sha256:0\ngenerated: '2024-01-01T00:00:00Z'\n",
    }  # fmt: skip
    assert member_order(build(with_files(extra)).data) == [
        "tiny/Chart.yaml", "tiny/Chart.lock", "tiny/values.yaml", "tiny/values.schema.json", "tiny/templates/a.yaml",
        "tiny/extension.yaml", "tiny/icon.svg", "tiny/permissions.yaml", "tiny/README.md",
        "tiny/charts/backend/Chart.yaml", "tiny/charts/backend/templates/config.yaml",
        "tiny/charts/zzz/Chart.yaml", "tiny/charts/zzz/values.yaml",
    ]  # fmt: skip


def test_the_same_tree_gives_the_same_bytes() -> None:
    assert build(with_files({})).data == build(with_files({})).data
    with tarfile.open(fileobj=io.BytesIO(build(with_files({}), time=7).data)) as tar:
        assert {member.mtime for member in tar} == {7}
    with tarfile.open(fileobj=io.BytesIO(build(with_files({})).data)) as tar:
        assert {member.mtime for member in tar} == {DEFAULT_TIME}


def test_chart_yaml_is_generated() -> None:
    foreign = {"Chart.yaml": "name: other\nversion: 9.9.9\n"}
    assert read_package(build(with_files(foreign)).data).files["Chart.yaml"].decode() == (
        "apiVersion: v2\ndependencies:\n- name: backend\n  repository: \"\"\n  tags:\n  - extension\n"
        "description: A tiny extension\n"
        "icon: data:image/svg+xml;base64,PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnLz4=\n"
        "name: tiny\nversion: 0.1.0\n"
    )  # fmt: skip


def test_ignored_files_stay_out_even_of_sub_charts() -> None:
    extra = {
        ".helmignore": "/sources/\n*.bak\n", "sources/a.c": "", "charts/backend/x.bak": "",
        "charts/backend/sources/b": "",
    }  # fmt: skip
    members = build(with_files(extra)).members
    assert "tiny/charts/backend/sources/b" in members
    assert not [member for member in members if member.endswith((".bak", "a.c"))]
    assert "tiny/.helmignore" in members


def test_a_packed_sub_chart_is_unfolded() -> None:
    inner = build(with_files({})).data
    outer = with_files({"charts/inner-0.1.0.tgz": inner, "charts/_skipped/x": "", "charts/.hidden/x": ""})
    members = build(outer).members
    assert "tiny/charts/tiny/charts/backend/Chart.yaml" in members
    assert not [member for member in members if "_skipped" in member or "hidden" in member]


def test_charts_of_version_1_keep_their_requirements() -> None:
    extra = {
        "charts/old/Chart.yaml": "name: old\nversion: 1.0.0\nengine: gotpl\n",
        "charts/old/requirements.yaml": "dependencies: [{name: x, version: 1.x, repository: r}]\n",
    }
    package = read_package(build(with_files(extra)).data)
    assert package.files["charts/old/Chart.yaml"] == b"apiVersion: v1\nname: old\nversion: 1.0.0\n"
    assert package.files["charts/old/requirements.yaml"].startswith(b"dependencies")


def test_undeclared_sub_charts_are_told() -> None:
    extra = {"charts/more/Chart.yaml": "name: more\nversion: 1.0.0\n"}
    assert [finding.code for finding in build(with_files(extra)).findings] == ["sub-chart-undeclared"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"extension.yaml": None}, UnreadableTree, "extension.yaml is missing"),
        ({"extension.yaml": "a: [b"}, InvalidYaml, "extension.yaml:2"),
        ({"extension.yaml": "[]"}, InvalidMetadata, "must be a mapping"),
        ({"icon.svg": None}, InvalidMetadata, "the icon ./icon.svg is not in the extension"),
        ({"icon.svg": None, "static/icon.svg": ""}, InvalidMetadata, "Set icon to ./static/icon.svg"),
        ({"permissions.yaml": "kind: Role\nrules: 7\n"}, PackagingError, "permissions.yaml:2"),
        ({"values.yaml": "a: [b"}, InvalidYaml, "values.yaml:2"),
        ({"values.schema.json": "{"}, InvalidChart, "it is not JSON"),
        ({"charts/backend/Chart.yaml": None}, InvalidChart, "charts/backend: Chart.yaml is missing"),
        ({"charts/backend/Chart.yaml": "name: backend"}, InvalidChart, "is not semantic"),
        ({"charts/backend/Chart.yaml": "name: ../up\nversion: 1.0.0"}, InvalidChart, "cannot be a chart's name"),
        ({"charts/backend/Chart.yaml": "name: other\nversion: 1.0.0"}, InvalidMetadata, "backend is not in charts/"),
        ({"charts/b/Chart.yaml": "name: backend\nversion: 1.0.0"}, InvalidChart, "two sub-charts are named 'backend'"),
        ({"charts/README.md": "x"}, InvalidChart, "neither a chart's folder nor a .tgz"),
        ({"charts/x.tgz": "x"}, InvalidChart, "charts/x.tgz: The archive cannot be read"),
        ({".helmignore": "**"}, UnreadableTree, ".helmignore:1"),
    ],
)  # fmt: skip
def test_what_is_refused(changes: dict[str, bytes | str | None], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        build(with_files(changes))
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")


def test_all_errors_are_told_at_once() -> None:
    tree = with_metadata("name: BAD", "version: x", without="name")
    tree = Tree(
        "tiny", {**tree.files, "extension.yaml": tree.files["extension.yaml"].replace(b"version: 0.1.0\n", b"")}
    )
    with pytest.raises(InvalidMetadata, match="lists 1 more") as caught:
        build(tree)
    assert {finding.code for finding in caught.value.findings} == {"name-invalid", "version-invalid"}


contents = st.binary(max_size=200).map(without_bom)
file_names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda name: not name.startswith("chart")
)
folders = st.sampled_from(["", "docs/", "static/deep/", "templates/", "charts/backend/", "charts/backend/templates/"])
extras = st.dictionaries(st.builds(str.__add__, folders, file_names), contents, max_size=6)


@given(extras)
def test_package_read_package_is_the_identity(extra: dict[str, bytes]) -> None:
    reserved = {"values.schema.json", "requirements.yaml", "requirements.lock"}
    files = {
        path: data for path, data in extra.items() if path not in FILES and path.rpartition("/")[2] not in reserved
    }
    first = build(Tree("anything", {**FILES, **files}))
    package = read_package(first.data)
    assert {path: package.files[path] for path in files} == files
    assert build(Tree("tiny", package.files)).data == first.data
