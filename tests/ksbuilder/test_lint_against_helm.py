"""Our lint beside Helm's: what Helm calls an error is one of ours, and what is published has none."""

import base64
import json

import pytest

from dovetail.cli.ksbuilder.rendering import Situation, renderer
from dovetail.packaging.checking import apply, opened
from dovetail.packaging.findings import errors_of
from dovetail.packaging.rules import LINT
from tests.packaging.corpus import archives, name_of
from tests.packaging.test_against_helm import ask
from tests.packaging.trees import with_files

from .command import ksbuilder

OBJECT = "apiVersion: v1\nkind: %s\nmetadata: {name: %s}\n"
FAULTS = {
    "no selector": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {}}\n",
    "no selector of a StatefulSet": "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {}\n",
    "not YAML": "a: b: c\n",
    "indented": "metadata:\n name: x\n  kind: y\n",
    "no template": "{{ include \"nothing\" . }}\n",
    "no function": "{{ nothing . }}\n",
    "time": "a: {{ .Release.Time }}\n",
    "a kept item": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n"
    "  metadata: {name: s, annotations: {helm.sh/resource-policy: keep}}\n",
    "fine": OBJECT % ("ConfigMap", "c"),
    "a name that is only doubtful": OBJECT % ("ConfigMap", "Under_score"),
}  # fmt: skip


async def test_errors_of_helm_are_errors_of_ours() -> None:
    ours: dict[str, bool] = {}
    built: dict[str, bytes] = {}
    async with renderer(Situation()) as helm:
        for name, template in FAULTS.items():
            found = opened(with_files({"charts/backend/templates/x.yaml": template}))
            assert found.package is not None
            built[name] = found.archive
            ours[name] = bool(errors_of(apply(LINT, await helm.examine(found.package, found.archive))))
    theirs = dict(zip(built, ask([["lint", base64.b64encode(data).decode()] for data in built.values()]), strict=True))
    missed = {name: errors for name, errors in theirs.items() if errors and not ours[name]}
    assert missed == {}
    assert sum(bool(errors) for errors in theirs.values()) >= 4, theirs
    assert not ours["fine"]
    assert not ours["a name that is only doubtful"]


@pytest.mark.skipif(not archives(), reason="there is no corpus (set DOVETAIL_CORPUS)")
def test_what_is_published_has_no_errors(tmp_path: object) -> None:
    process = ksbuilder("check", *archives(), "-o", "json", cwd=archives()[0].parent)
    reports = json.loads(process.stdout)["extensions"]
    wrong = {
        name_of(path): [one for one in report["findings"] if one["severity"] == "error"]
        for path, report in zip(archives(), reports, strict=True)
    }
    assert wrong == {name: [] for name in wrong}
