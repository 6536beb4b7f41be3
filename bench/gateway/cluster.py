"""A cluster in memory: informers whose watch is whoever calls `put` and `remove`.

With it a benchmark measures the gateway alone; the tests of control use it, too. Imports nothing of the benchmark.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dovetail.kube import Object, ResourceLike
from dovetail.kube.lister import Change, Store

ROLE, USER = "bench", "bench"


class Informer:
    """As control sees one."""

    def __init__(self, indexers: Mapping[str, Callable[[Object], Iterable[str]]] | None = None) -> None:
        self.lister = Store(indexers)
        self._handlers: list[Any] = []

    def add_handler(self, handler: Any) -> None:
        self._handlers.append(handler)
        for obj in self.lister:
            handler("ADDED", None, obj)

    def tell(self, changes: list[Change]) -> None:
        for change in changes:
            for handler in self._handlers:
                handler(*change)


class Cluster:
    """Gives objects versions and uids, and tells of changes at once. Stands in for a ControllerRuntime."""

    def __init__(self) -> None:
        self._informers: dict[str, Informer] = {}
        self._version = 0

    def informer(self, resource: ResourceLike, **options: Any) -> Informer:
        """The informer of a resource."""
        name = f"{resource.group}/{resource.plural}"
        return self._informers.setdefault(name, Informer(options.get("indexers")))

    def put(self, resource: ResourceLike, obj: Object) -> None:
        """Create or replace an object."""
        self._version += 1
        informer = self.informer(resource)
        there = informer.lister.get(obj["metadata"]["name"], obj["metadata"].get("namespace"))
        uid = there["metadata"]["uid"] if there else obj["metadata"].get("uid", f"uid-{self._version}")
        metadata = {**obj["metadata"], "uid": uid, "resourceVersion": str(self._version)}
        informer.tell(informer.lister.put({**obj, "metadata": metadata}))

    def remove(self, resource: ResourceLike, name: str, namespace: str | None = None) -> None:
        """Delete an object, if it is there."""
        informer = self.informer(resource)
        there = informer.lister.get(name, namespace)
        if there is not None:
            informer.tell(informer.lister.discard(there))


def reverse_proxy(name: str, path: str, port: int) -> Object:
    """A route to a port of this machine."""
    return {
        "apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "ReverseProxy",
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"matcher": {"path": path, "method": "*"}, "upstream": {"url": f"http://127.0.0.1:{port}"}},
    }  # fmt: skip


def people() -> tuple[Object, Object, Object]:
    """A User, a GlobalRole that allows every path, and the GlobalRoleBinding between them."""
    user = {"metadata": {"name": USER, "uid": f"uid-{USER}"}, "spec": {"email": "bench@dovetail.dev"}}
    role = {"metadata": {"name": ROLE}, "rules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}
    binding = {
        "metadata": {"name": ROLE}, "roleRef": {"kind": "GlobalRole", "name": ROLE},
        "subjects": [{"kind": "User", "name": USER}],
    }  # fmt: skip
    return user, role, binding
