"""kubesphere.io/v1alpha1 ServiceAccount: as whom a program calls the platform (reference/kubesphere-core.md 2.6).

Not Kubernetes' own kind: this one is known to the gateway, holds roles of the platform (a binding's subject of kind
ServiceAccount and apiGroup kubesphere.io), and is nobody on the Kubernetes API but through the gateway.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Final

from dovetail.apis.kind import AGE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import Conditions, Count, ObjectMeta, Wire, about

GROUP: Final = "kubesphere.io"
VERSION: Final = "v1alpha1"

SERVICEACCOUNTS: Final = ResourceName(GROUP, VERSION, "serviceaccounts", "ServiceAccount", namespaced=True)


class SecretReference(Wire, frozen=True, kw_only=True):
    """A Secret in the same namespace."""

    name: str = ""
    namespace: str = ""
    kind: str = ""
    api_version: str = ""


class ServiceAccountStatus(Wire, frozen=True, kw_only=True):
    """Which token the platform keeps for it, and since when tokens count."""

    secret_uid: Annotated[str, about("The Secret that holds the token; deleting it ends every token.")] = ""
    tokens_not_before: Count | None = None
    observed_generation: Count | None = None
    conditions: Conditions = []


class ServiceAccount(Wire, frozen=True, kw_only=True):
    """ServiceAccount is a program that calls the platform's APIs."""

    metadata: ObjectMeta
    secrets: Annotated[list[SecretReference], about("Written by the platform: where its token is.")] = []
    status: ServiceAccountStatus | None = None


KINDS: Final = (Kind(SERVICEACCOUNTS, ServiceAccount, ("kssa",), (Column("Secret", ".secrets[*].name"), AGE)),)
