"""What previews in other processes know of the controllers' settings."""

import contextlib
from pathlib import Path

import pytest

from dovetail.kube import CONFIGMAPS, NotFound
from dovetail.lifecycle.platform_settings import (
    NAME,
    publish_settings,
    published_settings,
    settings_object,
    with_published,
)
from dovetail.lifecycle.settings import LifecycleSettings
from tests.conftest import KubeApi
from tests.lifecycle.platform import ensure_namespace

SET = LifecycleSettings(
    kubeconfig=Path("/controllers/own"), ingress={"domainSuffix": "apps.example.org"}, image_registry="mirror.test",
    node_selector={"disk": "fast"},
)  # fmt: skip
HERE = LifecycleSettings(kubeconfig=Path("/mine"))


async def test_what_matters_to_a_rendering_arrives_and_nothing_else(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        await ensure_namespace(client, "kubesphere-system")
        with contextlib.suppress(NotFound):  # of other tests' controllers
            await client.delete(CONFIGMAPS, NAME, "kubesphere-system")
        await publish_settings(client, LifecycleSettings())
        with pytest.raises(NotFound):
            await client.get(CONFIGMAPS, NAME, "kubesphere-system")
        assert await published_settings(client, HERE) == HERE
        await publish_settings(client, SET)
        told = await published_settings(client, HERE)
        assert (told.ingress, told.image_registry, told.node_selector) == (
            {"domainSuffix": "apps.example.org"}, "mirror.test", {"disk": "fast"}
        )  # fmt: skip
        assert told.kubeconfig == HERE.kubeconfig
        await publish_settings(client, LifecycleSettings())
        assert await published_settings(client, HERE) == HERE


def test_what_is_of_another_shape_does_not_count() -> None:
    assert with_published(HERE, {"data": {"settings.json": '{"ingress": "x", "kubeconfig": "/etc/passwd"}'}}) == HERE
    assert with_published(HERE, {"data": {"settings.json": "{"}}) == HERE
    assert with_published(HERE, {"data": {"settings.json": "[]"}}) == HERE
    assert "/controllers/own" not in str(settings_object(SET))
