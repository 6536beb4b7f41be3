"""Which strategy a kind has."""

from __future__ import annotations

from ..admission.plugins.resource_quota.ledger import recount
from ..registry.resource import ResourceType
from .access_objects import BindingStrategy, RoleStrategy
from .apiservices import ApiServiceStrategy
from .certificates import CertificateRequestStrategy
from .checked import STRATEGIES as CHECKED
from .configuration import ConfigMapStrategy, SecretStrategy
from .definitions import STORE as DEFINITIONS
from .definitions import DefinitionStrategy
from .namespaces import NamespaceStrategy
from .policies import LimitRangeStrategy, ResourceQuotaStrategy
from .priority_classes import PriorityClassStrategy
from .services import ServiceStrategy
from .strategy import Context, Strategy
from .workloads.rules import (
    CronJobStrategy,
    JobStrategy,
    PodStrategy,
    ReplicationControllerStrategy,
    TemplateStrategy,
)

__all__ = ["Context", "Strategy", "strategy_of"]

_NONE = Strategy()
_TEMPLATE, _ROLE, _BINDING = TemplateStrategy(), RoleStrategy(), BindingStrategy()
_RBAC = "rbac.authorization.k8s.io"
_STRATEGIES: dict[str, Strategy] = {
    **CHECKED,
    "/namespaces": NamespaceStrategy(),
    "/pods": PodStrategy(),
    "/services": ServiceStrategy(),
    "/secrets": SecretStrategy(),
    "/configmaps": ConfigMapStrategy(),
    "/limitranges": LimitRangeStrategy(),
    "/resourcequotas": ResourceQuotaStrategy(recount),
    "scheduling.k8s.io/priorityclasses": PriorityClassStrategy(),
    "/replicationcontrollers": ReplicationControllerStrategy(),
    "apps/deployments": _TEMPLATE,
    "apps/replicasets": _TEMPLATE,
    "apps/statefulsets": _TEMPLATE,
    "apps/daemonsets": _TEMPLATE,
    "batch/jobs": JobStrategy(),
    "batch/cronjobs": CronJobStrategy(),
    f"{_RBAC}/roles": _ROLE,
    f"{_RBAC}/clusterroles": _ROLE,
    f"{_RBAC}/rolebindings": _BINDING,
    f"{_RBAC}/clusterrolebindings": _BINDING,
    "certificates.k8s.io/certificatesigningrequests": CertificateRequestStrategy(),
    "apiregistration.k8s.io/apiservices": ApiServiceStrategy(),
    DEFINITIONS: DefinitionStrategy(),
}


def strategy_of(resource: ResourceType) -> Strategy:
    return _STRATEGIES.get(resource.store, _NONE)
