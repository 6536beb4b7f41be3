"""The OpenAPI documents: whole, and in themselves right."""

from typing import Any
from unittest.mock import MagicMock

import pytest
from starlette.routing import Route

from dovetail.platform.app import create_app
from dovetail.platform.documents import documents
from dovetail.platform.operations import operation_of
from dovetail.platform.schemas import references

APP = create_app(MagicMock())
DOCUMENTS = documents(APP.routes, "v1.2.3")
OPERATIONS = [
    (name, path, method, operation)
    for name, document in DOCUMENTS.items()
    for path, item in document["paths"].items()
    for method, operation in item.items()
]


def test_every_route_is_in_a_document_and_described() -> None:
    described = {(path, method) for _, path, method, _ in OPERATIONS}
    for route in APP.routes:
        assert isinstance(route, Route)
        assert operation_of(route.endpoint) is not None, f"{route.endpoint.__qualname__} is missing in operations.py"
        for method in (route.methods or set()) - {"HEAD"}:
            assert (route.path, method.lower()) in described


def test_documents_are_whole() -> None:
    assert {"platform", "kapis/iam.kubesphere.io/v1beta1", "kapis/tenant.kubesphere.io/v1beta1"} <= set(DOCUMENTS)
    for document in DOCUMENTS.values():
        schemas = document["components"]["schemas"]
        assert set(references(document)) <= set(schemas)
        assert document["info"]["version"] == "v1.2.3"
    names = [operation["operationId"] for _, _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_each_is_valid_openapi(name: str) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(DOCUMENTS[name])


def test_operations_say_what_they_take_and_answer() -> None:
    for _, path, method, operation in OPERATIONS:
        assert operation["summary"], path
        in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert in_path == {piece.strip("{}") for piece in path.split("/") if piece.startswith("{")}
        assert "default" in operation["responses"]
        if method in {"put", "patch"} and path != "/oauth/session":
            assert operation["requestBody"]["content"], path
        success = next(code for code in operation["responses"] if code != "default")
        assert operation["responses"][success].get("content"), (method, path)


def test_kinds_have_the_schemas_of_their_models() -> None:
    iam = DOCUMENTS["kapis/iam.kubesphere.io/v1beta1"]
    schemas: dict[str, Any] = iam["components"]["schemas"]
    assert "description" in schemas["WorkspaceRole"]["properties"]["rules"]["items"]
    create = iam["paths"]["/kapis/iam.kubesphere.io/v1beta1/workspaces/{workspace}/workspaceroles"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/WorkspaceRole")
    assert list(create["responses"]) == ["201", "default"]
    patch = iam["paths"]["/kapis/iam.kubesphere.io/v1beta1/globalroles/{name}"]["patch"]
    assert set(patch["requestBody"]["content"]) == {
        "application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml",
    }  # fmt: skip
