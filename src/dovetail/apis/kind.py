"""Kind: everything a CustomResourceDefinition needs to know of one of our resources, in one value."""

import msgspec

from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import Wire


class Column(msgspec.Struct, frozen=True):
    """A column of `kubectl get`; priority 1 shows with `-o wide` only. `path` is a Kubernetes JSONPath."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


AGE = Column("Age", ".metadata.creationTimestamp", "date")
STATE = Column("State", ".status.state")


class Kind(msgspec.Struct, frozen=True):
    """A resource with its wire model, short names and columns. Every kind has a status subresource."""

    resource: ResourceName
    model: type[Wire]
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (AGE,)
