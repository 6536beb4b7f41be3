"""Uploaded packages: an ExtensionVersion that only says where its package is gets everything else from the package.

`kubectl` users and the console upload a package as a ConfigMap and an ExtensionVersion with nothing but
`chartDataRef` (reference/kubesphere-core.md 2.2). Here its fields, labels and Extension are filled in; what is wrong
with a package is told in the version's status. Complete versions (from ksbuilder or a repository) are only given
their Extension if there is none.
"""

from typing import Final

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion, extension_version
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
from dovetail.kube import Client, Informer, Key, RequeueAfter, is_deleting, labels_of, set_condition
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import constraints, publishing
from dovetail.lifecycle.errors import Refused, UnusablePackage
from dovetail.lifecycle.extensions import BY_EXTENSION
from dovetail.lifecycle.objects import conditions_of, generation_of, status_of
from dovetail.lifecycle.packages import Fetched, PackageSource

_LOOK_AGAIN: Final = RequeueAfter(15.0)
_A_MOMENT: Final = RequeueAfter(2.0)
READY: Final = "Ready"


class VersionReconciler:
    """Fills in uploaded versions."""

    def __init__(self, client: Client, packages: PackageSource, versions: Informer, extensions: Informer) -> None:
        self._client = client
        self._packages = packages
        self._versions = versions
        self._extensions = extensions
        self._waited: set[str] = set()

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        obj = self._versions.lister.get(key.name)
        if obj is None or is_deleting(obj):
            self._waited.discard(key.name)
            return None
        try:
            version = extension_version(obj)
        except InvalidObject as error:
            await self._tell(obj, "Invalid", str(error))
            return None
        if version.version and labels_of(obj).get(labels.EXTENSION_REF):
            if self._extensions.lister.get(version.extension) is None:
                if key.name not in self._waited:  # whoever publishes makes the Extension in a moment, with better texts
                    self._waited.add(key.name)
                    return _A_MOMENT
                whole = await self._client.get(EXTENSIONVERSIONS, key.name)  # the cache has no icons
                await publishing.ensure_extension(self._client, publishing.extension_from(whole, version.extension))
            return None
        return await self._fill(obj, version)

    async def _fill(self, obj: Object, version: ExtensionVersion) -> RequeueAfter | None:
        try:
            fetched = await self._packages.load(version)
            await self._publish(obj, version, fetched)
        except Refused as error:
            await self._tell(obj, error.reason, str(error))
            return _LOOK_AGAIN
        return None

    async def _publish(self, obj: Object, version: ExtensionVersion, fetched: Fetched) -> None:
        from dovetail.packaging.objects import extension_object, version_object

        package, name = fetched.package, obj["metadata"]["name"]
        if name != f"{package.name}-{package.version}":
            wanted = f"{package.name}-{package.version}"
            raise UnusablePackage(name, f"it is {package.name} {package.version}; name the ExtensionVersion {wanted}")
        reference = obj["spec"].get("chartDataRef")
        source = {"chartDataRef": reference} if reference else {"chartURL": version.chart_url}
        filled = version_object(package, obj["metadata"].get("creationTimestamp") or "", **source)
        shown = extension_object(package)
        extension = await publishing.ensure_extension(self._client, shown)
        if self._is_newest(version, package.version):
            await publishing.show(self._client, shown)
        await publishing.put_version(self._client, filled, extension)

    def _is_newest(self, version: ExtensionVersion, text: str) -> bool:
        known: list[ExtensionVersion] = []
        for obj in self._versions.lister.by_index(BY_EXTENSION, version.extension):
            try:
                known.append(extension_version(obj))
            except InvalidObject:
                continue
        newest = constraints.ordered(known)[-1:]
        return not newest or newest[0].version in ("", text)

    async def _tell(self, obj: Object, reason: str, message: str) -> None:
        generation = generation_of(obj)
        before = status_of(obj)
        conditions = set_condition(conditions_of(obj), READY, "False", reason, message, generation, now())
        status = {"state": reason, "observedGeneration": generation, "conditions": conditions}
        if any(before.get(name) != value for name, value in status.items()):
            name = obj["metadata"]["name"]
            await self._client.patch(EXTENSIONVERSIONS, name, {"status": status}, subresource="status")
