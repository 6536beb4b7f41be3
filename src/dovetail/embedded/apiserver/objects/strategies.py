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
from .pods.strategy import PodStrategy, PodTemplateStrategy
from .policies import LimitRangeStrategy, ResourceQuotaStrategy
from .priority_classes import PriorityClassStrategy
from .services import ServiceStrategy
from .strategy import Context, Strategy
from .webhook_configurations import WebhookConfigurationStrategy
from .workloads.controllers import (
    DaemonSetStrategy,
    DeploymentStrategy,
    ReplicaSetStrategy,
    ReplicationControllerStrategy,
)
from .workloads.cron_jobs import CronJobStrategy
from .workloads.jobs import JobStrategy
from .workloads.stateful import ControllerRevisionStrategy, StatefulSetStrategy

__all__ = ["Context", "Strategy", "strategy_of"]

_NONE = Strategy()
_ROLE, _BINDING = RoleStrategy(), BindingStrategy()
_HOOKS, _ADMISSION = WebhookConfigurationStrategy(), "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_STRATEGIES: dict[str, Strategy] = {
    **CHECKED,
    "/namespaces": NamespaceStrategy(),
    "/pods": PodStrategy(),
    "/podtemplates": PodTemplateStrategy(),
    "/services": ServiceStrategy(),
    "/secrets": SecretStrategy(),
    "/configmaps": ConfigMapStrategy(),
    "/limitranges": LimitRangeStrategy(),
    "/resourcequotas": ResourceQuotaStrategy(recount),
    "scheduling.k8s.io/priorityclasses": PriorityClassStrategy(),
    "/replicationcontrollers": ReplicationControllerStrategy(),
    "apps/deployments": DeploymentStrategy(),
    "apps/replicasets": ReplicaSetStrategy(),
    "apps/statefulsets": StatefulSetStrategy(),
    "apps/daemonsets": DaemonSetStrategy(),
    "apps/controllerrevisions": ControllerRevisionStrategy(),
    "batch/jobs": JobStrategy(),
    "batch/cronjobs": CronJobStrategy(),
    f"{_ADMISSION}/mutatingwebhookconfigurations": _HOOKS,
    f"{_ADMISSION}/validatingwebhookconfigurations": _HOOKS,
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
