"""Noticing changes of what the extension centre shows: versions only, no contents, so thousands cost little."""

from collections.abc import Callable
from typing import Final

from dovetail.apis.kubesphere_v1alpha1 import CATEGORIES, EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.console.reading import metadata_fields
from dovetail.kube import ControllerRuntime, Object

WATCHED: Final = (EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS, CATEGORIES)


def name_only(obj: Object) -> Object:
    return {"metadata": metadata_fields(obj, "name", "uid", "resourceVersion")}


def watch_catalogue(runtime: ControllerRuntime, on_change: Callable[[], None]) -> None:
    """Call `on_change` after each change of one of these objects."""

    def changed(type: str, old: Object | None, new: Object, /) -> None:
        on_change()

    for resource in WATCHED:
        informer = runtime.informer(resource, transform=name_only, metadata_only=True, optional=True, resync=0.0)
        informer.add_handler(changed)
