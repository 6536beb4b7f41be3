"""What a module is told of a request: the `input`, with the names that KubeSphere's Go code gives to its fields."""

from typing import Any

from dovetail.iam.attributes import Attributes
from dovetail.iam.policy import Identity
from dovetail.iam.rules import groups_of


def question(identity: Identity, attributes: Attributes) -> dict[str, Any]:
    """The input about one request (`reference/kubesphere-core.md` 1.7)."""
    return {
        "User": {
            "Name": identity.name,
            "UID": identity.uid,
            "Groups": list(groups_of(identity)),
            "Extra": {key: list(values) for key, values in identity.extra.items()},
        },
        "Verb": attributes.verb,
        "Cluster": attributes.cluster,
        "Workspace": attributes.workspace,
        "Namespace": attributes.namespace,
        "APIGroup": attributes.api_group,
        "APIVersion": attributes.api_version,
        "Resource": attributes.resource,
        "Subresource": attributes.subresource,
        "Name": attributes.name,
        "KubernetesRequest": attributes.kubernetes_request,
        "ResourceRequest": attributes.resource_request,
        "Path": attributes.path,
        "ResourceScope": attributes.scope,
    }
