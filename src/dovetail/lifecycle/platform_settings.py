"""The controllers' settings that end up in releases, where previews in other processes find them.

`dovetail extension plan` and the console's API must render what the controllers would: with the same values `global.*`.
So the controllers write those settings into a ConfigMap of the system's namespace when they start, unless they are the
defaults, which count without it. Nothing in it is secret.
"""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any, Final, cast

from dovetail.apis import labels
from dovetail.kube import CONFIGMAPS, Client, KubeError, NotFound
from dovetail.kube.resources import Object
from dovetail.lifecycle.objects import mapping
from dovetail.lifecycle.settings import LifecycleSettings

_log = logging.getLogger(__name__)

NAME: Final = "dovetail-lifecycle-settings"
_KEY: Final = "settings.json"
_MANAGER: Final = "dovetail"
_AGAIN: Final = 30.0
_PUBLISHED: Final = (
    "cluster_name", "cluster_role", "platform_version", "portal_url", "image_registry", "node_selector", "ingress",
)  # fmt: skip


def settings_object(settings: LifecycleSettings) -> Object:
    """The ConfigMap."""
    values = {name: getattr(settings, name) for name in _PUBLISHED}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": labels.SYSTEM_NAMESPACE, "labels": {labels.MANAGED: "true"}},
        "data": {_KEY: json.dumps(values, sort_keys=True)},
    }


def with_published(settings: LifecycleSettings, obj: Object) -> LifecycleSettings:
    """The settings with what the ConfigMap says of them; what is of another shape does not count."""
    try:
        told: object = json.loads(str(mapping(obj.get("data")).get(_KEY) or "{}"))
    except ValueError:
        return settings
    known: dict[str, Any] = {
        name: value
        for name, value in (cast("dict[str, Any]", told) if isinstance(told, dict) else {}).items()
        if name in _PUBLISHED and isinstance(value, type(getattr(LifecycleSettings(), name)))
    }
    return replace(settings, **known)


async def keep_published(client: Client, settings: LifecycleSettings) -> None:
    """Write them, and try again while the API or the namespace is not there."""
    while True:
        try:
            await publish_settings(client, settings)
        except KubeError as error:
            _log.info("the settings for previews are not written yet: %s", error)
            await asyncio.sleep(_AGAIN)
        else:
            return


async def publish_settings(client: Client, settings: LifecycleSettings) -> None:
    """Write them; defaults only over what was written before. Raises KubeError."""
    obj = settings_object(settings)
    if obj == settings_object(LifecycleSettings()):
        try:
            await client.get(CONFIGMAPS, NAME, labels.SYSTEM_NAMESPACE, metadata_only=True)
        except NotFound:
            return
    await client.apply(CONFIGMAPS, obj, field_manager=_MANAGER, force=True)


async def published_settings(client: Client, settings: LifecycleSettings) -> LifecycleSettings:
    """The controllers' settings, as far as they were written; else the ones given. Raises KubeError."""
    try:
        return with_published(settings, await client.get(CONFIGMAPS, NAME, labels.SYSTEM_NAMESPACE))
    except NotFound:
        return settings
