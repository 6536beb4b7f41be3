"""Making a release: namespace, account and rights, values, and then Helm as that account.

Every step may be repeated: what exists is kept or brought in line. The package's bytes that were verified are the bytes
that Helm gets. During an upgrade the account holds the rights of both versions, afterwards only the new one's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion
from dovetail.apis.dialects.policies import AS_PUBLISHED, Policies
from dovetail.helm import (
    Connection,
    Deploy,
    HelmRefused,
    HelmTimeout,
    HelmWorker,
    HelmWorkerDied,
    Rollback,
    Uninstall,
    Values,
    errors,
)
from dovetail.kube import (
    CLUSTERROLES,
    NAMESPACES,
    ROLES,
    AlreadyExists,
    ApiError,
    Client,
    Conflict,
    NotFound,
    ServerError,
    TooManyRequests,
    is_deleting,
)
from dovetail.lifecycle.access import access_objects, account_user, namespace_object, role_name
from dovetail.lifecycle.capabilities import capabilities_if_told
from dovetail.lifecycle.errors import DeployFailed, Interrupted, Refused, UninstallFailed
from dovetail.lifecycle.facts import DEFAULT_PATIENCE, Desired
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.releases import TARGET_LABEL
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.steps import Report, quiet
from dovetail.lifecycle.values import injected_values
from dovetail.packaging.permissions import Permissions

MANAGER: Final = "dovetail"
_TRANSIENT_HELM: Final = frozenset({errors.UNREACHABLE, errors.CANCELLED})
Rules = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Order:
    """One deployment: what, from which version object, with which user values, over which release."""

    desired: Desired
    version: ExtensionVersion
    config: str
    upgrade: bool
    policies: Policies = AS_PUBLISHED
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class RollBack:
    """One roll-back: the revision of the release that is to be in force again."""

    extension: str
    namespace: str
    release: str
    revision: int
    policies: Policies = AS_PUBLISHED


class Deployer:
    """Carries out deployments and uninstalls. Raises Refused for what the user must see, other errors to try again."""

    def __init__(self, client: Client, helm: HelmWorker, packages: PackageSource, settings: LifecycleSettings) -> None:
        self._client = client
        self._helm = helm
        self._packages = packages
        self._settings = settings

    async def deploy(
        self, order: Order, begun: Callable[[], Awaitable[None]], interrupt: asyncio.Event, report: Report = quiet
    ) -> None:
        """Do it; `begun` is awaited when everything is prepared and Helm comes next. Raises Interrupted."""
        desired = order.desired
        fetched = await self._packages.load(order.version)
        permissions = fetched.package.permissions
        former: Rules = await self._rules(desired) if order.upgrade else {}
        await self._prepare(desired, permissions, former)
        version, served = await capabilities_if_told(self._client)
        await begun()
        operation = Deploy(
            release=desired.extension,
            chart=fetched.data,
            connection=self._connection(desired.extension, desired.namespace),
            values=Values(order.config, injected_values(self._settings, fetched.package.dependencies)),
            object_labels={labels.EXTENSION_REF: desired.extension},
            release_labels={labels.EXTENSION_REF: desired.extension, TARGET_LABEL: desired.target},
            wait=self._settings.wait_for_workloads,
            timeout=self._settings.hook_timeout,
            description=f"{desired.extension} {desired.version}",
            kube_version=version,
            api_versions=served,
        )
        await self._call(operation, interrupt)
        if former:
            await self._prepare(desired, permissions, {})

    async def roll_back(self, order: RollBack, interrupt: asyncio.Event, report: Report = quiet) -> None:
        """Let Helm bring a revision back, as the extension's account. Raises DeployFailed, Interrupted."""
        operation = Rollback(
            release=order.release,
            revision=order.revision,
            connection=self._connection(order.extension, order.namespace),
            wait=self._settings.wait_for_workloads,
            timeout=int(order.policies.hook_timeout or self._settings.hook_timeout),
        )
        await self._call(operation, interrupt)

    async def uninstall(self, extension: str, namespace: str, interrupt: asyncio.Event) -> None:
        """Let Helm remove the release, as the extension's account. Raises UninstallFailed, Interrupted."""
        operation = Uninstall(
            release=extension,
            connection=self._connection(extension, namespace),
            timeout=self._settings.hook_timeout,
        )
        try:
            await self._call(operation, interrupt)
        except DeployFailed as error:
            raise UninstallFailed(str(error)) from error

    async def _call(self, operation: Deploy | Rollback | Uninstall, interrupt: asyncio.Event) -> None:
        if interrupt.is_set():
            raise Interrupted(operation.release)
        try:
            await self._helm.call(operation, interrupt=interrupt)
        except (HelmRefused, HelmWorkerDied) as error:
            if interrupt.is_set():
                raise Interrupted(operation.release) from error
            if isinstance(error, HelmWorkerDied):
                raise
            if error.reason in _TRANSIENT_HELM:
                raise
            raise DeployFailed(error.detail, hopeless=error.reason == errors.INVALID) from error
        except HelmTimeout as error:
            raise DeployFailed(str(error), hopeless=False) from error

    async def _prepare(self, desired: Desired, permissions: Permissions, former: Rules) -> None:
        try:
            await self._ensure_namespace(desired)
            objects = access_objects(desired.extension, desired.namespace, permissions, former)
            async with asyncio.TaskGroup() as group:
                for resource, obj in objects:
                    group.create_task(self._client.apply(resource, obj, field_manager=MANAGER, force=True))
        except ApiError as error:
            raise _told(error) from error
        except ExceptionGroup as group:
            raise _told(group.exceptions[0]) from group

    async def _ensure_namespace(self, desired: Desired) -> None:
        obj = namespace_object(desired.extension, desired.namespace)
        try:
            await self._client.create(NAMESPACES, obj, field_manager=MANAGER)
        except AlreadyExists:
            found = await self._client.get(NAMESPACES, desired.namespace, metadata_only=True)
            if is_deleting(found):
                raise Refused(
                    "NamespaceTerminating", f"namespace {desired.namespace} is being deleted", DEFAULT_PATIENCE
                ) from None

    async def _rules(self, desired: Desired) -> Rules:
        name = role_name(desired.extension)
        rules: dict[str, Sequence[Mapping[str, Any]]] = {}
        for resource, namespace in ((ROLES, desired.namespace), (CLUSTERROLES, None)):
            try:
                role = await self._client.get(resource, name, namespace)
            except NotFound:
                continue
            rules[resource.kind] = role.get("rules") or ()
        return rules

    def _connection(self, extension: str, namespace: str) -> Connection:
        kubeconfig = self._settings.kubeconfig
        return Connection(
            namespace=namespace,
            kubeconfig=None if kubeconfig is None else str(kubeconfig),
            context=self._settings.context,
            user=account_user(extension, namespace),
        )


def _told(error: Exception) -> Exception:
    """What the user must see becomes Refused; what another try may solve stays what it is."""
    if not isinstance(error, ApiError) or isinstance(error, Conflict | TooManyRequests | ServerError):
        return error
    return Refused("AccessFailed", f"the account cannot be prepared: {error}", DEFAULT_PATIENCE)
