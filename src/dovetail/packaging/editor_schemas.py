"""JSON Schemas for editors: extension.yaml, permissions.yaml, and every kind of the platform.

    # yaml-language-server: $schema=./schemas/extension.json

Those of metadata say what the Structs that read the files and the rules of `names` say (a test compares them); those of
kinds are the schemas of their CustomResourceDefinitions. Draft 2020-12. They are for writing: what is only tolerated
when reading (other spellings, numbers for texts) is an error here.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from dovetail.packaging import names

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_URL: Final[Schema] = {"type": "string", "pattern": "^(https?://.*)?$"}
_NAME: Final[Schema] = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$"}
_CONSTRAINT: Final[Schema] = {"type": "string", "examples": [">=1.19.0-0", "^4.1.0-0"]}


def _about(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _object(properties: Mapping[str, Schema], required: tuple[str, ...] = (), description: str = "") -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return (
        schema
        | ({"required": list(required)} if required else {})
        | ({"description": description} if description else {})
    )


def _list(items: Schema, description: str) -> Schema:
    return {"type": "array", "items": items, "description": description}


def _locales(values: Schema, description: str) -> Schema:
    keys = {"enum": sorted(names.LANGUAGES)}
    entries = {"propertyNames": keys, "additionalProperties": values}
    return {"type": "object", "minProperties": 1, **entries, "description": description}


def extension_schema() -> Schema:
    """extension.yaml."""
    person = {"name": _TEXT, "email": {"type": "string", "pattern": "^[^@\\s]+@[^@\\s]+$"}, "url": _URL}
    provider = {"name": _TEXT, "email": _TEXT, "url": _TEXT}
    dependency = {
        "name": _about(_TEXT, "Name of the chart in charts/."),
        "version": _CONSTRAINT,
        "repository": _TEXT,
        "condition": _about(_TEXT, "A value (`backend.enabled`) that switches the sub-chart."),
        "tags": _list({"type": "string"}, "`extension`: on the host cluster; `agent`: on the chosen member clusters."),
        "enabled": {"type": "boolean"},
        "import-values": {"type": "array"},
        "alias": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
    }
    external = {
        "name": _TEXT,
        "type": {"type": "string", "default": "extension"},
        "version": _CONSTRAINT,
        "required": {"type": "boolean"},
    }
    properties: dict[str, Schema] = {
        "apiVersion": _about(_TEXT | {"examples": ["kubesphere.io/v1alpha1"]}, "kubesphere.io/v1alpha1"),
        "name": _about(_NAME, f"The name: {names.STRICT_NAME_RULE}."),
        "version": _about(
            {"type": "string", "pattern": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-z.-]+)?$"},
            "A semantic version, in lower case and without build metadata. Quote it if it could be a number.",
        ),
        "displayName": _locales(_TEXT, "The name in the catalogue, by language."),
        "description": _locales(_TEXT, "One or two sentences, by language."),
        "category": _about({"type": "string", "examples": list(names.CATEGORIES)}, "The shelf in the catalogue."),
        "keywords": _list(_TEXT, "Words to be found by."),
        "home": _about(_URL, "The project's page."),
        "docs": _about(_URL, "Its documentation."),
        "sources": _list(_URL, "Its source code."),
        "kubeVersion": _about(_CONSTRAINT, "Versions of Kubernetes; end with -0 to accept those of vendors."),
        "ksVersion": _about(_CONSTRAINT, "Versions of the platform."),
        "maintainers": _list(_object(person, ("name",)), "Whom to write to."),
        "provider": _locales(_object(provider), "Who offers it, by language."),
        "staticFileDirectory": _about(_TEXT, "The folder of pictures, for the published tool's push."),
        "icon": _about(_TEXT, "A file of the package (./static/icon.svg) or an address."),
        "screenshots": _list(_TEXT, "Pictures for the catalogue: files of the package or addresses."),
        "dependencies": _list(_object(dependency, ("name",)), "The sub-charts."),
        "installationMode": _about(
            {"enum": ["HostOnly", "Multicluster"], "default": "HostOnly"},
            "Multicluster: sub-charts tagged agent are installed on chosen member clusters.",
        ),
        "namespace": _about(_NAME, "Where to install. Default: extension-<name>."),
        "images": _list(_TEXT, "Every image that runs, for mirrors and air-gapped bundles."),
        "externalDependencies": _list(
            _object(external, ("name", "version", "required")), "Other extensions that this one needs or can use."
        ),
        "annotations": {"type": "object", "additionalProperties": _TEXT, "description": "Of the extension's version."},
    }  # fmt: skip
    from dovetail.packaging.metadata import REQUIRED

    return _named("extension", _object(properties, REQUIRED, "extension.yaml: what an extension says of itself."))


def permissions_schema() -> Schema:
    """One document of permissions.yaml."""
    words = {"type": "array", "items": {"type": "string"}}
    rule: dict[str, Schema] = dict.fromkeys(
        ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), words
    )
    rules = _list(
        _object(rule, ("verbs",))
        | {"anyOf": [{"required": ["apiGroups", "resources"]}, {"required": ["nonResourceURLs"]}]},
        "As in Kubernetes RBAC.",
    )
    properties: dict[str, Schema] = {
        "apiVersion": {"const": "rbac.authorization.k8s.io/v1"},
        "kind": {
            "enum": ["ClusterRole", "Role"],
            "description": "ClusterRole: the whole cluster; Role: the namespace.",
        },
        "metadata": {"type": "object"},
        "rules": rules,
    }
    return _named(
        "permissions", _object(properties, ("kind", "rules"), "What an extension may do while it is installed.")
    )


def kind_schema(kind: str) -> Schema:
    """One of the platform's kinds, with its apiVersion."""
    from dovetail.apis.crds import KINDS
    from dovetail.apis.schema import object_schema

    found = next(one for one in KINDS if one.resource.kind == kind)
    schema = object_schema(found.model)
    properties = schema["properties"] | {
        "apiVersion": {"const": found.resource.api_version},
        "kind": {"const": kind},
        "metadata": {"type": "object", "properties": {"name": _TEXT}, "required": ["name"]},
    }
    required = ["apiVersion", "kind", "metadata", *schema.get("required", ())]
    return _named(kind, {**schema, "properties": properties, "required": required})


def _named(name: str, schema: Schema) -> Schema:
    return {"$schema": DRAFT, "title": name, **schema}


def schemas() -> dict[str, Callable[[], Schema]]:
    """Every schema by its name."""
    from dovetail.apis.crds import KINDS

    kinds = sorted(kind.resource.kind for kind in KINDS)
    own = {"extension": extension_schema, "permissions": permissions_schema}
    return {**own, **{kind: functools.partial(kind_schema, kind) for kind in kinds}}
