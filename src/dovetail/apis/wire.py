"""What all wire models share: the Struct base, object metadata, conditions, and the shapes that a schema cannot type.

A wire model is an object as it is on the wire (camelCase, defaults left out): it gives the CRD its schema and lets our
own code write objects with types. Reading foreign objects is the job of `dovetail.apis.dialects`, which accepts more
spellings than one and yields values that are already parsed.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dovetail.apis.resource_name import ResourceName

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"


def about(text: str, *, pattern: str | None = None, schema: dict[str, Any] | None = None) -> Meta:
    """A field's description for the schema, with an optional pattern and further schema keys."""
    return Meta(description=text, pattern=pattern, extra_json_schema=schema)


def several_shapes(text: str) -> Meta:
    """A field that the two dialects write in different types: the schema leaves it open, the dialect reads it."""
    return Meta(description=text, extra_json_schema={PRESERVE: True})


class Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of every wire model."""


Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""An RFC 3339 time."""

DURATION_PATTERN: Final = r"^(0|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+)$"
Duration = Annotated[str, Meta(pattern=DURATION_PATTERN)]
"""A duration as Go writes it: `15s`, `10m`, `1h30m`."""

Port = Annotated[int, Meta(ge=1, le=65535, extra_json_schema={"format": "int32"})]

Count = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]

Locales = Annotated[str | dict[str, str], several_shapes("A text, or a map from language code (`en`, `zh`) to text.")]
"""A text in several languages; the seed's dialect writes one string."""


class OwnerReference(Wire, frozen=True, kw_only=True):
    """An owner; the object goes when it goes."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Wire, frozen=True, kw_only=True):
    """The parts of metadata that our own code writes."""

    name: str = ""
    namespace: str = ""
    generate_name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: list[OwnerReference] = []


class Condition(Wire, frozen=True, kw_only=True):
    """One aspect of an object's state, after metav1.Condition."""

    type: Annotated[str, about("Name of the condition, unique in the list.", schema={"maxLength": 316})]
    status: Annotated[str, about("True, False or Unknown.", schema={"enum": ["True", "False", "Unknown"]})]
    reason: Annotated[str, about("One CamelCase word for programs.")] = ""
    message: Annotated[str, about("A sentence for people.")] = ""
    observed_generation: Count | None = None
    last_transition_time: Time | None = None


Conditions = Annotated[
    list[Condition],
    about(
        "What is known of the object, one entry a type.",
        schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class LabelSelectorRequirement(Wire, frozen=True, kw_only=True):
    """A key, an operator (In, NotIn, Exists, DoesNotExist) and values."""

    key: str
    operator: str
    values: list[str] = []


class LabelSelector(Wire, frozen=True, kw_only=True):
    """Selects objects by label; both parts must hold."""

    match_labels: dict[str, str] = {}
    match_expressions: list[LabelSelectorRequirement] = []


def manifest(resource: ResourceName, model: Wire) -> dict[str, Any]:
    """The object of a wire model as plain JSON data, with apiVersion and kind in front."""
    body: dict[str, Any] = msgspec.to_builtins(model)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}
