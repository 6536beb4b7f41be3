"""The defects of the published tool that ours must not have (reference/ksbuilder.md 8.3), those of packages.

The others have their tests where their subject is: lint's exit code, --kube-version and paths in
tests/ksbuilder/test_check.py, tokens and publishing in tests/ksbuilder, repositories in tests/lifecycle.
"""

# ruff: noqa: E501 - rows of a table

import pytest

from dovetail.packaging import build, read_archive, read_package
from dovetail.packaging.checking import check
from dovetail.packaging.errors import InvalidMetadata, InvalidPermissions
from dovetail.packaging.objects import version_object
from dovetail.packaging.tree import Tree

from .examples import codes, examined, findings
from .trees import METADATA, with_files, with_metadata


def codes_of(tree: Tree) -> set[str]:
    """The codes of what files and metadata say."""
    return {finding.code for finding in check(tree)}


def test_4_an_agent_of_a_host_only_extension_is_told() -> None:
    text = METADATA.replace("tags: [extension]", "tags: [agent]")
    assert "agent-never-installed" in codes_of(with_files({"extension.yaml": text}))


def test_5_undeclared_sub_charts_are_told() -> None:
    extra = {"charts/base/Chart.yaml": "apiVersion: v2\nname: base\nversion: 0.1.0\n"}
    assert "sub-chart-undeclared" in codes_of(with_files(extra))


@pytest.mark.parametrize("line", ["name: A b", "name: ../x", "version: one", "version: 1.0.0+meta", "category: 'a b'"])
def test_9_names_versions_and_categories_are_checked(line: str) -> None:
    with pytest.raises(InvalidMetadata):
        build(with_metadata(line, without=line.partition(":")[0]))


def test_10_a_wrong_icon_says_where_the_file_is() -> None:
    """The published sample grafana-ext: `./static/favicon.svg` in the file, `./favicon.svg` on the disk."""
    tree = with_files({"icon.svg": None, "favicon.svg": "<svg/>"})
    text = METADATA.replace("./icon.svg", "./static/favicon.svg")
    with pytest.raises(InvalidMetadata, match=r"Set icon to \./favicon\.svg"):
        build(Tree("tiny", {**tree.files, "extension.yaml": text.encode()}))


def test_13_half_of_permissions_is_nothing() -> None:
    text = "kind: ClusterRole\nrules: [{verbs: [get], apiGroups: [''], resources: [pods]}]\n---\nkind: [broken"
    with pytest.raises(InvalidPermissions):
        build(with_files({"permissions.yaml": text}))


def test_14_a_package_cannot_point_at_other_bytes() -> None:
    injected = (
        "chartDataRef: {namespace: kube-system, name: x, key: y}\nchartURL: http://evil\ndigest: d\nrepository: r"
    )
    tree = with_metadata(*injected.splitlines())
    assert codes_of(tree) == {"unknown-key"}
    version = version_object(read_package(build(tree).data))
    assert not {"chartDataRef", "chartURL", "repository"} & version["spec"].keys()
    assert version["spec"]["digest"] == build(tree).digest


def test_16_both_tags_and_a_condition_are_told() -> None:
    text = METADATA.replace("tags: [extension]", "tags: [extension, agent]\n    condition: backend.enabled")
    assert "both-tags-never-installed" in codes_of(with_files({"extension.yaml": text}))


def test_17_archives_are_reproducible() -> None:
    files = with_files({"charts/zoo/Chart.yaml": "name: zoo\nversion: 1.0.0\n"}).files
    one, other = build(Tree("a", files)).data, build(Tree("b", dict(reversed(list(files.items()))))).data
    assert set(read_archive(one).files) == set(read_archive(other).files)
    assert one == build(Tree("c", files)).data


@pytest.mark.parametrize(
    "manifest",
    [
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}",
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: p-}\nspec: null",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: null\nspec: {template: {spec: {containers: null}}}",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: 7}\nspec: [1, 2]",
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: text}",
        "apiVersion: v1\nkind: List\nitems: {a: b}",
        "apiVersion: v1\nkind: List\nitems: [null, 1, [x], {kind: Pod}]",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\nrules: [7, {verbs: all}]",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: r}\nroleRef: none",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {versions: [1]}",
        "apiVersion: extensions.kubesphere.io/v1alpha1\nkind: ExtensionEntry\nmetadata: {name: x}\nspec: {entries: [1]}",
        "apiVersion: 7\nkind: ConfigMap\nmetadata: {name: x}\ndata: [a]",
        "kind: {a: b}",
        "? [a]\n: b",
        "a: &a [*a]",
        "a: 2001-01-01\nb: =\nkind: X",
    ],
)
def test_18_no_manifest_makes_the_rules_stumble(manifest: str) -> None:
    for finding in findings(examined(manifest, crds=manifest, probed=manifest)):
        assert str(finding)


def test_18_dates_and_equal_signs_are_text() -> None:
    crd = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {date: 2001-01-01, sign: =}\n"
    example = examined(crd)
    assert example.objects[0].value["data"] == {"date": "2001-01-01", "sign": "="}
    assert "manifest-not-yaml" not in codes(example)


def test_yaml_1_1_corners_are_read_and_told() -> None:
    """Section 2.3: numbers for text, Norwegian, keys in any case, the last of two keys, the first document."""
    text = METADATA.replace("version: 0.1.0", "Version: 1.10").replace(
        "category: dev-tools", "category: a\nCategory: b"
    )
    found = {finding.code: finding for finding in check(with_files({"extension.yaml": text + "---\nname: other\n"}))}
    assert found["text-not-quoted"].message == "Version was not quoted and is read as '1.1'"
    assert {"key-case", "version-invalid"} <= found.keys()
    norwegian = METADATA.replace("{en: Tiny, zh: 微小}", "{en: Tiny, no: Liten}")
    told = [one for one in check(with_files({"extension.yaml": norwegian})) if one.code == "language-invalid"]
    assert "'false' is not a language code" in told[0].message
