"""From a JSBundle object to its plan: which public paths it claims and where their bytes are. Pure."""

import mimetypes
from collections.abc import Iterable, Mapping
from typing import Any

from dovetail.apis import labels
from dovetail.apis.dialects import JSBundle, js_bundle
from dovetail.console.bundles.model import JAVASCRIPT, BundleId, ObjectRef, Part, Plan, Source

DISABLED = "Disabled"


def plan_of(obj: Mapping[str, Any]) -> Plan:
    """Read a JSBundle of either group. Raises apis.errors.InvalidObject."""
    bundle = js_bundle(obj)
    assets = [
        Part(file.link, file.backend, file.mime_type or media_type_of(file.link), file.digest) for file in bundle.files
    ]
    if (style := bundle.style) is not None:
        assets.insert(0, Part(style.link, style.backend, "text/css; charset=utf-8", style.digest))
    return Plan(
        id=BundleId(bundle.meta.api_version.partition("/")[0], bundle.meta.name),
        bundle=bundle,
        main=Part(bundle.link, _source(bundle), JAVASCRIPT, bundle.digest),
        assets=tuple(assets),
        style_link=bundle.style.link if bundle.style else "",
    )


def _source(bundle: JSBundle) -> Source:
    if bundle.raw is not None:
        return bundle.raw
    if bundle.config_map is not None:
        ref = bundle.config_map
        return ObjectRef("ConfigMap", ref.namespace, ref.name, ref.key)
    if bundle.secret is not None:
        ref = bundle.secret
        return ObjectRef("Secret", ref.namespace, ref.name, ref.key)
    assert bundle.backend is not None  # js_bundle refuses an object that names no source
    return bundle.backend


def media_type_of(link: str) -> str:
    """By the file's name; what is not known is bytes, never something that a browser would run."""
    guessed, _ = mimetypes.guess_type(link, strict=False)
    if guessed in ("text/javascript", "application/javascript"):
        return JAVASCRIPT
    if guessed and guessed.startswith("text/"):
        return f"{guessed}; charset=utf-8"
    return guessed or "application/octet-stream"


def extension_of(bundle: JSBundle) -> str:
    """The extension that a bundle belongs to: by its label, else by the folder of its link."""
    return bundle.meta.labels.get(labels.EXTENSION_REF) or bundle.link.split("/")[2]


def references(plan: Plan) -> tuple[ObjectRef, ...]:
    """The objects whose change changes the bundle."""
    return tuple(part.source for part in (plan.main, *plan.assets) if isinstance(part.source, ObjectRef))


def owner_of(claimants: Iterable[Plan]) -> Plan | None:
    """Who gets a public path that several ask for: the oldest, then the first by name; the disabled do not ask."""
    asking = [plan for plan in claimants if plan.bundle.status.state != DISABLED and not plan.bundle.meta.deleting]
    return min(asking, key=lambda plan: (plan.bundle.meta.created, plan.id), default=None)
