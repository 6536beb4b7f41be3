"""CustomResourceDefinitions over HTTP: names, conditions, versions, what is refused, and what a deletion takes along."""  # noqa: E501

import asyncio
import json
import uuid
from typing import Any

import pytest

from .conftest import SOON, Http

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = {"content_type": "application/merge-patch+json"}
Object = dict[str, Any]


def group() -> str:
    return f"g{uuid.uuid4().hex[:8]}.example.dev"


def version(name: str = "v1", storage: bool = True, **more: Any) -> Object:
    spec = {"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer"}}}
    status = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


def definition(of: str, *versions: Object, names: Object | None = None, **spec: Any) -> Object:
    names = names or {"plural": "toys", "kind": "Toy"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.get('plural')}.{of}"},
        "spec": {"group": of, "scope": "Cluster", "names": names, "versions": list(versions) or [version()], **spec},
    }


async def created(http: Http, crd: Object) -> Object:
    code, body = await http("POST", CRDS, crd)
    assert code == 201, body
    return body


def conditions(crd: Object) -> list[tuple[str, str, str, str]]:
    return [(c["type"], c["status"], c["reason"], c["message"]) for c in crd["status"]["conditions"]]


def problems(code: int, body: Any) -> list[str]:
    assert code == 422, body
    return [f"{cause['field']}: {cause['message']}" for cause in body["details"]["causes"]]


NO_CONFLICTS = ("NamesAccepted", "True", "NoConflicts", "no conflicts found")
ESTABLISHED = ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")


async def test_names_are_filled_in_and_accepted(http: Http) -> None:
    of = group()
    crd = await created(http, definition(of))
    names = {"plural": "toys", "kind": "Toy", "singular": "toy", "listKind": "ToyList"}
    assert crd["spec"]["names"] == crd["status"]["acceptedNames"] == names
    assert crd["spec"]["conversion"] == {"strategy": "None"}
    assert crd["status"]["storedVersions"] == ["v1"]
    assert conditions(crd) == [NO_CONFLICTS, ESTABLISHED]
    assert crd["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("names", "reason", "word", "left"),
    [
        (
            {"plural": "dolls", "kind": "Toy", "listKind": "DollList"},
            "KindConflict",
            "Toy",
            {"plural": "dolls", "singular": "doll"},
        ),
        ({"plural": "dolls", "kind": "Doll", "singular": "toy"}, "SingularConflict", "toy", {"kind": "Doll"}),
        ({"plural": "dolls", "kind": "Doll", "shortNames": ["ty"]}, "ShortNamesConflict", "ty", {"kind": "Doll"}),
        ({"plural": "dolls", "kind": "Doll", "listKind": "ToyList"}, "ListKindConflict", "ToyList", {"kind": "Doll"}),
    ],
)
async def test_a_name_that_is_taken_waits_until_it_is_free(
    http: Http, names: Object, reason: str, word: str, left: Object
) -> None:
    of = group()
    await created(http, definition(of, names={"plural": "toys", "kind": "Toy", "shortNames": ["ty"]}))
    waiting = await created(http, definition(of, names={"singular": "doll", **names}))
    assert conditions(waiting) == [
        ("NamesAccepted", "False", reason, f'"{word}" is already in use'),
        ("Established", "False", "NotAccepted", "not all names are accepted"),
    ]
    assert left.items() <= waiting["status"]["acceptedNames"].items()
    assert (await http("GET", f"/apis/{of}/v1/dolls"))[0] == 404
    await http("DELETE", f"{CRDS}/toys.{of}")
    code, now = await http("GET", f"{CRDS}/dolls.{of}")
    assert (code, conditions(now)) == (200, [NO_CONFLICTS, ESTABLISHED])
    assert (await http("GET", f"/apis/{of}/v1/dolls"))[0] == 200


async def test_an_established_definition_keeps_serving_when_a_new_name_is_taken(http: Http) -> None:
    of = group()
    await created(http, definition(of, names={"plural": "toys", "kind": "Toy", "shortNames": ["ty"]}))
    await created(http, definition(of, names={"plural": "dolls", "kind": "Doll"}))
    change = {"spec": {"names": {"shortNames": ["ty"], "categories": ["all"]}}}
    code, crd = await http("PATCH", f"{CRDS}/dolls.{of}", change, **MERGE)
    assert code == 200
    assert conditions(crd)[0] == ("NamesAccepted", "False", "ShortNamesConflict", '"ty" is already in use')
    assert conditions(crd)[1] == ESTABLISHED
    _, found = await http("GET", f"/apis/{of}/v1")
    dolls = next(resource for resource in found["resources"] if resource["name"] == "dolls")
    assert (dolls.get("shortNames"), dolls["categories"]) == (None, ["all"])


async def test_protected_groups_need_an_approval(http: Http) -> None:
    of = f"x{uuid.uuid4().hex[:6]}.k8s.io"
    crd = definition(of)
    found = problems(*await http("POST", CRDS, crd))
    assert found == [
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval "
        'annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111'
    ]
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "someday"}
    assert "with either a URL or a reason starting" in problems(*await http("POST", CRDS, crd))[0]
    url = "https://github.com/kubernetes/enhancements/pull/1"
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": url}
    assert conditions(await created(http, crd))[0] == (
        "KubernetesAPIApprovalPolicyConformant", "True", "ApprovedAnnotation", f"approved in {url}",
    )  # fmt: skip


def changed(**changes: Any) -> Object:
    crd = definition("a.example.dev")
    crd["spec"] |= changes
    return crd


LABEL = "a DNS-1035 label must consist of lower case alphanumeric characters or '-'"
COLUMN = {"name": "A", "type": "string", "jsonPath": ".spec.a"}


@pytest.mark.parametrize(
    ("crd", "problem"),
    [
        (changed(group="nodot"), 'spec.group: Invalid value: "nodot": should be a domain with at least one dot'),
        (changed(group="b.example.dev"), 'metadata.name: Invalid value: "toys.a.example.dev": must be spec.names.plural'),  # noqa: E501
        (changed(scope="Everywhere"), 'spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"'),  # noqa: E501
        (changed(scope=""), "spec.scope: Required value"),
        (changed(names={"plural": "toys"}), "spec.names.kind: Required value"),
        (changed(names={"plural": "toys", "kind": "T_oy"}), 'spec.names.kind: Invalid value: "T_oy": may have mixed case, '),  # noqa: E501
        (changed(names={"plural": "toys", "kind": "Toy", "listKind": "Toy"}), "kind and listKind may not be the same"),
        (changed(names={"plural": "toys", "kind": "Toy", "shortNames": ["T"]}), f'spec.names.shortNames[0]: Invalid value: "T": {LABEL}'),  # noqa: E501
        (changed(names={"plural": "toys", "kind": "Toy", "categories": ["A"]}), "spec.names.categories[0]: Invalid value"),  # noqa: E501
        (changed(versions=[version("V1")]), f'spec.versions[0].name: Invalid value: "V1": {LABEL}'),
        (changed(versions=[version(storage=False)]), "must have exactly one version marked as storage version"),
        (changed(versions=[version(), version("v2")]), "must have exactly one version marked as storage version"),
        (changed(versions=[version(), version(storage=False)]), "must contain unique version names"),
        (changed(versions=[version(schema=None)]), "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"),  # noqa: E501
        (changed(versions=[version(deprecationWarning="x")]), "can only be set for deprecated versions"),
        (changed(versions=[version(deprecated=True, deprecationWarning="")]), "must not be an empty string"),
        (changed(preserveUnknownFields=True), "spec.preserveUnknownFields: Invalid value: true: cannot set to true"),
        (changed(conversion={"strategy": "Magic"}), 'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"'),  # noqa: E501
        (changed(conversion={"strategy": "Webhook"}), "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook"),  # noqa: E501
        (changed(versions=[version(additionalPrinterColumns=[{**COLUMN, "type": "text"}])]),
         'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string'),  # noqa: E501
        (changed(versions=[version(additionalPrinterColumns=[{**COLUMN, "jsonPath": "spec.a"}])]),
         'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.a": must be a simple json path starting with .'),  # noqa: E501
        (changed(versions=[version(additionalPrinterColumns=[{**COLUMN, "format": "x"}])]), "must be one of byte,date,date-time,double"),  # noqa: E501
        (changed(versions=[version(subresources={"scale": {"specReplicasPath": ".status.n", "statusReplicasPath": ".status.n"}})]),  # noqa: E501
         'spec.subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json path under .spec'),
        (changed(versions=[version(subresources={"scale": {"specReplicasPath": ".spec.n"}})]), "scale.statusReplicasPath: Required value"),  # noqa: E501
        (changed(versions=[version(selectableFields=[{"jsonPath": ".spec.nope"}])]),
         'spec.selectableFields[0].jsonPath: Invalid value: ".spec.nope": is an invalid path: does not refer to a valid field'),  # noqa: E501
        (changed(versions=[version(selectableFields=[{"jsonPath": ".spec"}])]), "must point to a field of type string, boolean or integer."),  # noqa: E501
        (changed(versions=[version(selectableFields=[{"jsonPath": ".spec.a"}] * 2)]), "Duplicate value: "),
    ],
)  # fmt: skip
async def test_what_is_refused(http: Http, crd: Object, problem: str) -> None:
    found = problems(*await http("POST", CRDS, crd))
    assert any(problem in text for text in found), found


async def test_versions_come_and_go_only_when_nothing_is_stored_in_them(http: Http) -> None:
    of = group()
    name = f"{CRDS}/toys.{of}"
    await created(http, definition(of, version("v1alpha1")))
    both = [version("v1alpha1", storage=False), version("v1")]
    code, crd = await http("PATCH", name, {"spec": {"versions": both}}, **MERGE)
    assert (code, crd["status"]["storedVersions"]) == (200, ["v1alpha1", "v1"])
    found = problems(*await http("PATCH", name, {"spec": {"versions": [version("v1")]}}, **MERGE))
    assert found == [
        'status.storedVersions[0]: Invalid value: "v1alpha1": missing from spec.versions; v1alpha1 was previously a '
        "storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted "
        "in v1alpha1 and removes v1alpha1 from status.storedVersions"
    ]
    code, crd = await http("PATCH", f"{name}/status", {"status": {"storedVersions": ["v1"]}}, **MERGE)
    assert (code, crd["status"]["storedVersions"], conditions(crd)) == (200, ["v1"], [NO_CONFLICTS, ESTABLISHED])
    code, crd = await http("PATCH", name, {"spec": {"versions": [version("v1")]}}, **MERGE)
    assert (code, crd["status"]["storedVersions"]) == (200, ["v1"])
    assert (await http("GET", f"/apis/{of}/v1alpha1/toys"))[0] == 404


async def test_what_may_not_change(http: Http) -> None:
    of = group()
    name = f"{CRDS}/toys.{of}"
    await created(http, definition(of))
    change = {"spec": {"scope": "Namespaced", "names": {"kind": "Doll"}, "group": "other.example.dev"}}
    assert problems(*await http("PATCH", name, change, **MERGE)) == [
        'spec.scope: Invalid value: "Namespaced": field is immutable',
        'spec.names.kind: Invalid value: "Doll": field is immutable',
        'spec.group: Invalid value: "other.example.dev": field is immutable',
    ]


async def test_deprecated_versions_warn(http: Http) -> None:
    of = group()
    old = version("v1beta1", storage=False, deprecated=True)
    older = version("v1alpha1", storage=False, deprecated=True, deprecationWarning="use v1")
    await created(http, definition(of, version(), old, older))
    for name, warning in (
        ("v1beta1", f'299 - "{of}/v1beta1 Toy is deprecated"'), ("v1alpha1", '299 - "use v1"'), ("v1", None),
    ):  # fmt: skip
        async with http.session.get(f"{http.server.url}/apis/{of}/{name}/toys") as response:
            assert response.headers.get("warning") == warning


async def test_unknown_formats_are_a_warning_once(http: Http) -> None:
    of = group()
    crd = definition(of)
    fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields |= {"f": {"type": "string", "format": "fancy"}, "i": {"type": "integer", "format": "int32"}}
    async with http.session.post(f"{http.server.url}{CRDS}", json=crd) as response:
        assert response.status == 201
        assert response.headers.get("warning") == r'299 - "unrecognized format \"fancy\""'
    patch = http.session.patch(
        f"{http.server.url}{CRDS}/toys.{of}", data='{"spec": {"names": {"categories": ["c"]}}}',
        headers={"content-type": "application/merge-patch+json"},
    )  # fmt: skip
    async with patch as response:
        assert (response.status, response.headers.get("warning")) == (200, None)


async def test_deletion_takes_the_instances_and_a_new_start_is_possible_at_once(http: Http) -> None:
    of = group()
    url, name = f"/apis/{of}/v1/toys", f"{CRDS}/toys.{of}"
    toy = {"apiVersion": f"{of}/v1", "kind": "Toy", "metadata": {"name": "t"}, "spec": {"a": "x"}}
    await created(http, definition(of))
    held = {**toy, "metadata": {"name": "held", "finalizers": ["example.dev/hold"]}}
    assert [(await http("POST", url, obj))[0] for obj in (toy, held)] == [201, 201]
    _, listed = await http("GET", url)
    start = listed["metadata"]["resourceVersion"]
    async with http.session.get(f"{http.server.url}{url}?watch=1&resourceVersion={start}") as watch:
        assert (await http("DELETE", name))[0] == 200
        assert conditions((await http("GET", name))[1])[-1] == (
            "Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress",
        )  # fmt: skip
        assert (await http("GET", f"{url}/t"))[0] == 404
        assert (await http("PATCH", f"{url}/held", {"metadata": {"finalizers": None}}, **MERGE))[0] == 200
        events = [json.loads(line) async for line in watch.content]
    kinds = [(event["type"], event["object"]["metadata"]["name"]) for event in events if event["type"] != "ERROR"]
    assert sorted(kinds) == [("DELETED", "held"), ("DELETED", "t"), ("MODIFIED", "held")]
    assert (await http("GET", name))[0] == 404
    assert (await http("GET", url))[0] == 404
    assert of not in [found["name"] for found in (await http("GET", "/apis"))[1]["groups"]]
    await created(http, definition(of))
    assert (await http("GET", url))[1]["items"] == []


async def test_instances_go_also_when_no_version_is_served(http: Http) -> None:
    of = group()
    name = f"{CRDS}/toys.{of}"
    toy = {"apiVersion": f"{of}/v1", "kind": "Toy", "metadata": {"name": "t"}}
    await created(http, definition(of))
    await http("POST", f"/apis/{of}/v1/toys", toy)
    code, _ = await http("PATCH", name, {"spec": {"versions": [version(served=False)]}}, **MERGE)
    assert code == 200
    await http("DELETE", name)
    assert (await http("GET", name))[0] == 404
    await created(http, definition(of))
    assert (await http("GET", f"/apis/{of}/v1/toys"))[1]["items"] == []


async def test_a_new_schema_holds_at_once_and_watches_go_on(http: Http) -> None:
    of = group()
    url = f"/apis/{of}/v1/toys"
    toy = {"apiVersion": f"{of}/v1", "kind": "Toy", "metadata": {"name": "t"}, "spec": {"a": "x"}}
    await created(http, definition(of))
    async with http.session.get(f"{http.server.url}{url}?watch=1") as watch:
        stricter = version()
        stricter["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"] = ["n"]
        await http("PATCH", f"{CRDS}/toys.{of}", {"spec": {"versions": [stricter]}}, **MERGE)
        assert problems(*await http("POST", url, toy)) == ["spec.n: Required value"]
        toy["spec"]["n"] = 1
        assert (await http("POST", url, toy))[0] == 201
        async with asyncio.timeout(SOON):
            event = json.loads(await watch.content.readline())
    assert (event["type"], event["object"]["spec"]) == ("ADDED", {"a": "x", "n": 1})


async def test_generations(http: Http) -> None:
    for of, subresources, wanted in ((group(), {"status": {}}, [1, 2, 2, 2]), (group(), {}, [1, 2, 3, 3])):
        url = f"/apis/{of}/v1/toys"
        await created(http, definition(of, version(subresources=subresources)))
        toy = {"apiVersion": f"{of}/v1", "kind": "Toy", "metadata": {"name": "t"}, "spec": {"a": "x"}}
        _, first = await http("POST", url, toy)
        found = [first["metadata"]["generation"]]
        status = f"{url}/t/status" if subresources else f"{url}/t"
        for target, change in (
            (f"{url}/t", {"spec": {"a": "y"}}),
            (status, {"status": {"n": 1}}),
            (f"{url}/t", {"metadata": {"labels": {"x": "y"}}}),
        ):
            _, body = await http("PATCH", target, change, **MERGE)
            found.append(body["metadata"]["generation"])
        assert found == wanted
        assert body["metadata"]["managedFields"]
