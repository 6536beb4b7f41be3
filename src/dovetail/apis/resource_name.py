"""ResourceName: how the API calls a kind of ours (group, version, plural, kind, scope).

The same five attributes as `dovetail.kube.Resource`, so that every kube call takes either; this room and that one do
not import each other, hence the second, plain type.
"""

import msgspec


class ResourceName(msgspec.Struct, frozen=True):
    """Group, version, plural and kind of a resource; most kinds of this platform are not `namespaced`."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = False

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def crd_name(self) -> str:
        """The name of its CustomResourceDefinition: `plural.group`."""
        return f"{self.plural}.{self.group}"


def plural_of(kind: str) -> str:
    """The resource of a kind by Kubernetes' own rule of thumb (meta.UnsafeGuessKindToResource)."""
    name = kind.lower()
    if name.endswith("endpoints"):
        return name
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else f"{name}s"
