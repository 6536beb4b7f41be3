"""The order of admission: built-in plugins, mutating webhooks; validating webhooks, built-in plugins.

The plugins are synchronous. Webhooks wait for other machines: ``awaits_mutation`` and ``awaits_validation`` say, at
next to no cost, whether any is concerned, so that a write that concerns none never waits.
"""

from __future__ import annotations

from .plugin import CREATE, Attributes, Plugin
from .plugins.certificates import CertificateApproval, CertificateSigning, CertificateSubjectRestriction
from .plugins.claim_resize import PersistentVolumeClaimResize
from .plugins.default_ingress_class import DefaultIngressClass
from .plugins.default_storage_class import DefaultStorageClass
from .plugins.default_tolerations import DefaultTolerationSeconds
from .plugins.limit_ranger import LimitRanger
from .plugins.pod_security import PodSecurity
from .plugins.pod_topology import PodTopologyLabels
from .plugins.priority import Priority
from .plugins.resource_quota import ResourceQuota
from .plugins.runtime_class import RuntimeClass
from .plugins.service_account import ServiceAccount
from .plugins.storage_protection import StorageObjectInUseProtection
from .plugins.taint_nodes import TaintNodesByCondition

# The order of kube-apiserver's AllOrderedPlugins. NamespaceLifecycle is part of every write (objects.namespaces).
PLUGINS: tuple[Plugin, ...] = (
    LimitRanger(),
    ServiceAccount(),
    TaintNodesByCondition(),
    PodSecurity(),
    Priority(),
    DefaultTolerationSeconds(),
    DefaultStorageClass(),
    PersistentVolumeClaimResize(),
    StorageObjectInUseProtection(),
    RuntimeClass(),
    CertificateApproval(),
    CertificateSigning(),
    CertificateSubjectRestriction(),
    DefaultIngressClass(),
    PodTopologyLabels(),
    ResourceQuota(),
)
# Most plugins do one of the three.
_WAITING = tuple(plugin for plugin in PLUGINS if type(plugin).wait is not Plugin.wait)
_MUTATING = tuple(plugin for plugin in PLUGINS if type(plugin).mutate is not Plugin.mutate)
_VALIDATING = tuple(plugin for plugin in PLUGINS if type(plugin).validate is not Plugin.validate)


async def wait(attributes: Attributes) -> None:
    """Let plugins wait for what a creation needs."""
    if attributes.operation != CREATE:
        return
    for plugin in _WAITING:
        await plugin.wait(attributes)


def mutate(attributes: Attributes) -> None:
    """Raises StatusError."""
    for plugin in _MUTATING:
        plugin.mutate(attributes)


def validate(attributes: Attributes) -> None:
    """Raises StatusError."""
    for plugin in _VALIDATING:
        plugin.validate(attributes)


def awaits_mutation(attributes: Attributes) -> bool:
    return attributes.api.webhooks.concerned(True, attributes)


def awaits_validation(attributes: Attributes) -> bool:
    return attributes.api.webhooks.concerned(False, attributes)


async def mutate_outside(attributes: Attributes) -> None:
    """Call the mutating webhooks. Raises StatusError."""
    from .webhooks.dispatch import mutate as call

    await call(attributes, mutate)  # what webhooks changed, the plugins see again, as in kube-apiserver


async def validate_outside(attributes: Attributes) -> None:
    """Call the validating webhooks. Raises StatusError."""
    from .webhooks.dispatch import validate as call

    await call(attributes)


async def admit(attributes: Attributes) -> None:
    """The whole chain, for what is asked and not stored (a Binding, an Eviction, a connection)."""
    mutate(attributes)
    if awaits_mutation(attributes):
        await mutate_outside(attributes)
    if awaits_validation(attributes):
        await validate_outside(attributes)
    validate(attributes)
