"""Rules about objects of the platform's own kinds: they must be readable, in either dialect."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dovetail.apis import dialects
from dovetail.apis.errors import InvalidObject
from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error

_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], object]]] = {
    "APIService": dialects.api_service,
    "Category": dialects.category,
    "ExtensionEntry": dialects.extension_entry,
    "JSBundle": dialects.js_bundle,
    "ReverseProxy": dialects.reverse_proxy,
}


def objects(examined: Examined) -> Iterator[Finding]:
    """Everything that a reader of these kinds would complain about."""
    for obj in examined.objects:
        reader = _READERS.get(obj.kind)
        if reader is None or not obj.group.endswith("kubesphere.io"):
            continue
        try:
            reader(obj.value)
        except InvalidObject as invalid:
            for fault in invalid.errors:
                yield error(
                    "object-invalid", obj.place, f"{obj.title}: {fault.path} {fault.message}", "Correct the field"
                )
