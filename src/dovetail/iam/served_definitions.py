"""Other people's kinds that the platform serves under `/kapis`, and the gateway's rights on them.

A CustomResourceDefinition says so itself, by the label `kubesphere.io/resource-served=true`. The platform writes such
objects as itself after it has decided whether the caller may, so the gateway needs rights on exactly these kinds: they
are kept in one ClusterRole, which follows the definitions that are there. Kinds of Kubernetes and of the platform are
never among them, whatever their definitions say.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.apis import crds
from dovetail.apis.labels import RESOURCE_SERVED
from dovetail.iam.process_roles import GATEWAY, OWN_LABELS, RBAC, READ, WRITE, Object, rule
from dovetail.kube.controller import Controller
from dovetail.kube.informer import Informer
from dovetail.kube.objects import Key
from dovetail.kube.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, CRDS
from dovetail.kube.runtime import ControllerRuntime

SERVED_SELECTOR: Final = f"{RESOURCE_SERVED}=true"
ROLE: Final = "dovetail:gateway:served-kinds"
_KEY: Final = Key("", ROLE)
_OWN: Final = frozenset((kind.resource.group, kind.resource.plural) for kind in crds.KINDS)
_OF_KUBERNETES: Final = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})


def served_definitions(runtime: ControllerRuntime) -> Informer:
    """The definitions that ask to be served, without their schemas."""
    return runtime.informer(CRDS, label_selector=SERVED_SELECTOR, transform=slim_definition)


def may_be_served(definition: Mapping[str, Any]) -> bool:
    """Whether a definition with the label is one of other people's."""
    group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
    return (group, plural) not in _OWN and group not in _OF_KUBERNETES and not group.endswith(".k8s.io")


def slim_definition(definition: Object) -> Object:
    """A CustomResourceDefinition without its schemas, for a cache."""
    spec: Mapping[str, Any] = definition.get("spec", {})
    versions = [{"name": one["name"], "served": one.get("served", False)} for one in spec.get("versions", [])]
    metadata = {key: value for key, value in definition["metadata"].items() if key != "managedFields"}
    kept = {key: spec.get(key) for key in ("group", "scope", "names")}
    return {"metadata": metadata, "spec": {**kept, "versions": versions}}


def rights(definitions: Iterable[Mapping[str, Any]]) -> list[Object]:
    """The rules for these kinds, one a group."""
    by_group: dict[str, set[str]] = {}
    for definition in filter(may_be_served, definitions):
        by_group.setdefault(definition["spec"]["group"], set()).add(definition["spec"]["names"]["plural"])
    return [rule((*READ, *WRITE), (group,), sorted(plurals)) for group, plurals in sorted(by_group.items())]


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The controller that keeps the role; add it to the runtime it was made for."""
    definitions = served_definitions(runtime)

    async def reconcile(_: Key) -> None:
        metadata = {"name": ROLE, "labels": dict(OWN_LABELS)}
        role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": metadata}
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE}
        subjects = [{"apiGroup": RBAC, "kind": "User", "name": GATEWAY}]
        bound = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": metadata}
        granted = {**role, "rules": rights(definitions.lister.list())}
        await runtime.client.apply(CLUSTERROLES, granted, field_manager="dovetail", force=True)
        given = {**bound, "subjects": subjects, "roleRef": reference}
        await runtime.client.apply(CLUSTERROLEBINDINGS, given, field_manager="dovetail", force=True)

    controller = Controller("rights on served kinds", reconcile)
    controller.watches(definitions, lambda _: [_KEY])
    controller.enqueue(_KEY)
    return [controller]
