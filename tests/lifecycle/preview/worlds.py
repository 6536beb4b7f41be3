"""Random small worlds: packages whose objects change from version to version, and people who change them by hand."""

import contextlib
import json
import random
from typing import Any

import yaml

from dovetail.apis import labels
from dovetail.kube import CONFIGMAPS, DEPLOYMENTS, SECRETS, SERVICES, Client, NotFound, preferred_resources

Object = dict[str, Any]

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gears.worlds.example.org}
spec:
  group: worlds.example.org
  scope: Namespaced
  names: {kind: Gear, plural: gears, singular: gear, listKind: GearList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
_WORDS = ("red", "blue", "green", "", "8", "a longer text\\nof two lines")


class World:
    """Draws versions of one extension, one after the other."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def files(self) -> dict[str, str]:
        """The templates and permissions of a version."""
        objects = [one for one in self._objects() if self.draw.random() < 0.8]
        self.draw.shuffle(objects)
        return {
            "templates/objects.yaml": "---\n".join(yaml.safe_dump(one) for one in objects),
            "templates/only.yaml": "",
            "templates/api.yaml": "" if self.draw.random() < 0.3 else self._entry(),
            "crds/gears.yaml": CRD,
            "permissions.yaml": self._permissions(),
        }

    def _objects(self) -> list[Object]:
        return [
            self._object("v1", "ConfigMap", "one", data=self._map(4)),
            self._object("v1", "ConfigMap", "two", data=self._map(2)),
            self._object("v1", "Secret", "keys", stringData=self._map(3)),
            self._object("v1", "Service", "front", spec={"selector": {"app": "x"}, "ports": self._ports()}),
            self._object("apps/v1", "Deployment", "work", spec=self._deployment()),
            self._object("worlds.example.org/v1", "Gear", "gear", spec=self._tree(3)),
            self._object("rbac.authorization.k8s.io/v1", "Role", "helper", rules=self._rules("configmaps")),
        ]

    def _object(self, api_version: str, kind: str, name: str, **content: Any) -> Object:
        marks = self._map(2) if self.draw.random() < 0.5 else {}
        about: Object = {
            "name": name,
            "annotations": {f"worlds.example.org/{key}": text for key, text in marks.items()},
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": about, **content}

    def _map(self, most: int) -> dict[str, str]:
        return {f"k{at}": self.draw.choice(_WORDS) for at in range(most) if self.draw.random() < 0.7}

    def _ports(self) -> list[Object]:
        numbers = self.draw.sample((80, 81, 443), self.draw.randint(1, 3))
        return [{"name": f"p{number}", "port": number, "targetPort": number + 8000} for number in numbers]

    def _deployment(self) -> Object:
        container: Object = {"name": "web", "image": f"web:{self.draw.randint(1, 3)}"}
        container["env"] = [{"name": key, "value": text} for key, text in self._map(3).items()]
        container["resources"] = {"limits": {"cpu": self.draw.choice(("1", "1000m", 1, "500m"))}}
        if self.draw.random() < 0.5:
            container["args"] = [self.draw.choice(_WORDS[:3]) for _ in range(self.draw.randint(1, 3))]
        side = [{"name": "side", "image": "side:1"}] if self.draw.random() < 0.4 else []
        spec: Object = {"selector": {"matchLabels": {"app": "x"}}}
        if self.draw.random() < 0.5:
            spec["replicas"] = self.draw.randint(1, 3)
        pod = {"containers": [container, *side]}
        return {**spec, "template": {"metadata": {"labels": {"app": "x"}}, "spec": pod}}

    def _tree(self, depth: int) -> Object:
        found: Object = {}
        for key in ("a", "b", "c"):
            kind = self.draw.randint(0, 4)
            if kind == 0 and depth:
                found[key] = self._tree(depth - 1)
            elif kind == 1:
                found[key] = [self.draw.randint(0, 3) for _ in range(self.draw.randint(1, 3))]
            elif kind == 2:
                found[key] = self.draw.choice((True, 1, "1", 2))
        return found

    def _rules(self, resource: str) -> list[Object]:
        verbs = self.draw.sample(("get", "list", "watch"), self.draw.randint(1, 3))
        return [{"apiGroups": [""], "resources": [resource], "verbs": verbs}]

    def _entry(self) -> str:
        entries = [{"name": f"entry{number}"} for number in range(self.draw.randint(1, 3))]
        kind = {"apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "ExtensionEntry"}
        return yaml.safe_dump({**kind, "metadata": {"name": "worlds"}, "spec": {"entries": entries}})

    def _permissions(self) -> str:
        whole = {"verbs": ["*"], "apiGroups": ["extensions.kubesphere.io", "apiextensions.k8s.io"], "resources": ["*"]}
        role = {"kind": "Role", "rules": [
            {"verbs": ["*"], "apiGroups": ["worlds.example.org", "rbac.authorization.k8s.io"], "resources": ["*"]},
        ]}  # fmt: skip
        more = self._rules(self.draw.choice(("pods", "nodes"))) if self.draw.random() < 0.6 else []
        return yaml.safe_dump_all([{"kind": "ClusterRole", "rules": [whole, *more]}, role])

    async def meddle(self, client: Client, namespace: str) -> str:
        """Somebody changes something by hand, or tries to; says what."""
        change: Object
        what = self.draw.randint(0, 6)
        with contextlib.suppress(NotFound):
            if what == 0:
                change = {"data": {"k0": "by hand", "extra": "by hand"}}
                await client.patch(CONFIGMAPS, "one", change, namespace)
            elif what == 1:
                await client.delete(CONFIGMAPS, "two", namespace)
            elif what == 2:
                await client.patch(DEPLOYMENTS, "work", {"spec": {"replicas": 9}}, namespace)
            elif what == 3:
                await client.patch(SECRETS, "keys", {"data": {"k1": "eA=="}}, namespace)
            elif what == 4:
                await client.patch(SERVICES, "front", {"metadata": {"labels": {"by": "hand"}}}, namespace)
            elif what == 5:
                await client.delete(DEPLOYMENTS, "work", namespace)
            return f"{what}"
        return f"{what} (nothing there)"


async def snapshot(client: Client, extension: str, namespace: str) -> dict[str, Object]:
    """Every object of the extension: all in its namespace but Helm's records, and the cluster's with its label."""
    found: dict[str, Object] = {}
    for served in preferred_resources(await client.discover_all(), ("list", "delete")):
        resource = served.resource
        if resource.plural in ("events", "endpoints", "endpointslices", "leases") or resource.group == "kubesphere.io":
            continue
        selector = "" if resource.namespaced else f"{labels.EXTENSION_REF}={extension}"
        listed = await client.list(resource, namespace if resource.namespaced else None, label_selector=selector)
        for obj in listed.items:
            if obj.get("type") != "helm.sh/release.v1" and obj["metadata"]["name"] != "kube-root-ca.crt":
                where = f"{obj['metadata'].get('namespace', '')}/" if resource.namespaced else ""
                group = f".{resource.group}" if resource.group else ""
                found[f"{resource.kind}{group} {where}{obj['metadata']['name']}"] = obj
    return {key: obj for key, obj in found.items() if not key.endswith(("ServiceAccount default", "/default"))}


_SERVERS = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp")
_NAMED_BY = ("name", "mountPath", "containerPort", "port")


def leaves(obj: Object) -> dict[str, str]:
    """What people can see of an object, leaf by leaf, list items by name where they have one."""
    about = {key: value for key, value in obj["metadata"].items() if key not in _SERVERS}
    return dict(_leaves({**obj, "metadata": about, "status": None, "apiVersion": None, "kind": None}, ""))


def _leaves(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, _below(path, key))]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        by = "port" if path == "spec.ports" else next((one for one in _NAMED_BY if all(one in i for i in value)), "")
        if by and "Gear" not in path:
            return [leaf for item in value for leaf in _leaves(item, f"{path}[{by}={item[by]}]")]
    return [] if value in (None, [], {}) else [(path, json.dumps(value, sort_keys=True))]


def _below(path: str, key: str) -> str:
    plain = key.replace("-", "").replace("_", "").isalnum()
    return (f"{path}.{key}" if path else key) if plain else f'{path}["{key}"]'


def changed_leaves(before: Object, after: Object) -> set[str]:
    one, other = leaves(before), leaves(after)
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
