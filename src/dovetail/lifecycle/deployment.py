"""Making a release: package, namespace, account and rights, rendering, and then Helm as that account.

The package is rendered once; what it renders to is looked at (whose the objects are, what was approved) and exactly
that is installed. Until Helm begins nothing of the release has been changed, so whatever is refused before leaves what
is in force as it was. Every step may be repeated: what exists is kept or brought in line. The package's bytes that were
verified are the bytes that Helm gets. During an upgrade the account holds the rights of both versions, afterwards only
the new one's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion
from dovetail.apis.dialects.policies import AS_PUBLISHED, Policies
from dovetail.helm import (
    Connection,
    Deploy,
    HelmWorker,
    Render,
    Rendering,
    Rollback,
    Uninstall,
    Values,
)
from dovetail.helm.storage import Contents
from dovetail.kube import Client
from dovetail.lifecycle import release_tests, steps
from dovetail.lifecycle.access import account_user
from dovetail.lifecycle.capabilities import capabilities_if_told
from dovetail.lifecycle.crd_upgrades import Decided, Definitions
from dovetail.lifecycle.errors import DeployFailed, PlanStale, UninstallFailed
from dovetail.lifecycle.facts import Desired
from dovetail.lifecycle.helm_calls import HelmCalls, unless, was_late
from dovetail.lifecycle.hook_logs import secrets_of
from dovetail.lifecycle.interrupts import ALLOW_UNSAFE_CRDS
from dovetail.lifecycle.ownership import Owner, Ownership
from dovetail.lifecycle.packages import Fetched, PackageSource
from dovetail.lifecycle.preparing import NOTHING, Former, Preparation
from dovetail.lifecycle.preview.approvals import Approvals
from dovetail.lifecycle.releases import TARGET_LABEL, Releases
from dovetail.lifecycle.releasing import Job, Outcome, Releasing, TestRun
from dovetail.lifecycle.rendered import Rendered, read, read_templates
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.steps import Report, quiet
from dovetail.lifecycle.values import injected_values

if TYPE_CHECKING:
    from dovetail.helm.expecting import Expected

_DELETING: Final = frozenset({"pre-delete", "post-delete"})


@dataclass(frozen=True)
class Order:
    """One deployment: what, from which version object, with which user values, over which release.

    `release` empty: named like the extension. `agent`: its part on a member cluster.
    """

    desired: Desired
    version: ExtensionVersion
    config: str
    upgrade: bool
    policies: Policies = AS_PUBLISHED
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    release: str = ""
    agent: bool = False

    @property
    def release_name(self) -> str:
        return self.release or self.desired.extension


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
        self._helm = HelmCalls(helm, client)
        self._packages = packages
        self._settings = settings
        self._preparation = Preparation(client)
        self._ownership = Ownership(client)
        self._releases = Releases(client)
        self._releasing = Releasing(client, self._helm)
        self._definitions = Definitions(client)
        self._approvals = Approvals(client, helm, packages, settings)

    async def deploy(
        self, order: Order, begun: Callable[[], Awaitable[None]], interrupt: asyncio.Event, report: Report = quiet
    ) -> Outcome:
        """Do it; `begun` is awaited when everything is prepared and Helm comes next. Raises Interrupted."""
        desired = order.desired
        report(steps.FETCHING)
        fetched = await unless(interrupt, self._packages.load(order.version), order.release_name)
        approved = None
        if not order.agent:
            hash = order.policies.approved_hash
            approved = await self._approvals.check(desired, order.config, hash, fetched)
        former = await self._prepare(desired, fetched, upgrade=order.upgrade, report=report)
        report(steps.RENDERING)
        rendering = await self._render(order, fetched, interrupt)
        if approved is not None and not await _fits(approved, rendering):
            raise PlanStale(desired.extension, desired.version, ["what the templates render to"])
        objects = await asyncio.to_thread(read_templates, rendering.manifests)
        report(steps.CHECKING)
        decided = await self._check(order, rendering, objects)
        await begun()
        report(steps.DEFINITIONS)
        me = _owner(order)
        await unless(interrupt, self._definitions.carry_out(decided, me, report), me.release)
        report(steps.INSTALLING)
        tests = self._tests(order, objects)
        rendering = msgspec.structs.replace(rendering, crds=decided.ours)
        operation = self._operation(order, fetched, rendering, tested=tests is not None)
        course = steps.Course(objects, upgrade=order.upgrade)
        secrets = secrets_of(objects, rendering.values)
        job = Job(desired.extension, operation.description, operation, course, course.hooks, secrets)
        outcome = await self._releasing.run(job, interrupt, report, tests)
        if order.policies.run_tests and tests is None:
            outcome = replace(outcome, notes=("the package has no tests, so nothing was tested",))
        if former.rules:
            report(steps.RIGHTS)
            permissions = fetched.package.permissions
            await self._preparation.account(desired.extension, desired.namespace, permissions, NOTHING)
        return replace(outcome, notes=(*decided.notes, *outcome.notes))

    def _tests(self, order: Order, objects: Sequence[Rendered]) -> TestRun | None:
        """The tests that are to run afterwards."""
        tests = release_tests.tests_of(objects) if order.policies.run_tests else []
        if not tests:
            return None
        return TestRun(len(tests), order.policies.tests_must_pass, order.desired.target)

    async def roll_back(self, order: RollBack, interrupt: asyncio.Event, report: Report = quiet) -> None:
        """Let Helm bring a revision back, as the extension's account.

        Raises DeployFailed, ForeignObject, Interrupted.
        """
        report(steps.ROLLING_BACK)
        me = Owner(order.extension, order.release, order.namespace)
        made, secrets = await self._recorded(me, order.revision)
        await self._ownership.check(made, me, lambda: self._made(me))
        operation = Rollback(
            release=order.release,
            revision=order.revision,
            connection=self._connection(order.extension, order.namespace),
            wait=self._settings.wait_for_workloads,
            timeout=self._hook_timeout(order.policies),
        )
        what = f"{order.extension}, roll-back to revision {order.revision}"
        job = Job(order.extension, what, operation, steps.Sequel(steps.ROLLING_BACK), secrets=secrets)
        await self._releasing.run(job, interrupt, report)
        await self._preparation.narrow(order.extension, order.namespace)

    async def uninstall(
        self,
        extension: str,
        namespace: str,
        interrupt: asyncio.Event,
        report: Report = quiet,
        release: str = "",
        hook_timeout: float | None = None,
    ) -> None:
        """Let Helm remove the release, as the extension's account.

        Raises UninstallFailed, Interrupted, and ForeignObject where a hook would delete what is somebody else's.
        """
        report(steps.UNINSTALLING)
        me = Owner(extension, release or extension, namespace)
        made, secrets = await self._recorded(me)
        hooks = [one for one in made if one.hooks & _DELETING]
        await self._ownership.check(hooks, me, lambda: self._made(me))
        operation = Uninstall(
            release=release or extension,
            connection=self._connection(extension, namespace),
            timeout=int(hook_timeout or self._settings.hook_timeout),
        )
        course = steps.Sequel(steps.UNINSTALLING)
        job = Job(extension, f"{extension}, uninstall", operation, course, len(hooks), secrets)
        try:
            if not await self._uninstalled(job, interrupt, report):
                await self._preparation.readmit(extension, namespace, made)
                await self._releasing.run(job, interrupt, report)
        except DeployFailed as error:
            raise UninstallFailed(str(error)) from error

    async def _uninstalled(self, job: Job, interrupt: asyncio.Event, report: Report) -> bool:
        """Ask Helm; False when it could be that the account was not let.

        Helm keeps to itself what the API refused, and takes records that it may not list for a release that is not
        there.
        """
        try:
            await self._releasing.run(job, interrupt, report)
        except DeployFailed as error:
            if was_late(error):
                raise
            return False
        return not (await self._releases.records(job.namespace, job.operation.release)).revisions

    async def _prepare(self, desired: Desired, fetched: Fetched, *, upgrade: bool, report: Report) -> Former:
        """Namespace and account; the rights that the account had before."""
        name, namespace = desired.extension, desired.namespace
        former = await self._preparation.former(name, namespace) if upgrade else NOTHING
        report(steps.NAMESPACE)
        await self._preparation.namespace(name, namespace)
        report(steps.ACCOUNT)
        await self._preparation.account(name, namespace, fetched.package.permissions, former)
        return former

    async def _render(self, order: Order, fetched: Fetched, interrupt: asyncio.Event) -> Rendering:
        version, served = await capabilities_if_told(self._client)
        operation = Render(
            release=order.release_name,
            chart=fetched.data,
            namespace=order.desired.namespace,
            values=self._values(order, fetched),
            object_labels={labels.EXTENSION_REF: order.desired.extension},
            connection=self._connection(order.desired.extension, order.desired.namespace),
            revision=0,
            kube_version=version,
            api_versions=served,
        )
        return msgspec.convert(await self._helm.call(operation, interrupt), Rendering)

    def _operation(self, order: Order, fetched: Fetched, rendering: Rendering, *, tested: bool) -> Deploy:
        desired = order.desired
        target = f"{release_tests.UNTESTED}{desired.target}" if tested else desired.target
        return Deploy(
            release=order.release_name,
            chart=b"",
            connection=self._connection(desired.extension, desired.namespace),
            rendering=rendering,
            values=self._values(order, fetched),
            release_labels={labels.EXTENSION_REF: desired.extension, TARGET_LABEL: target},
            wait=self._settings.wait_for_workloads,
            timeout=self._hook_timeout(order.policies),
            description=f"{desired.extension} {desired.version}",
            skip_crds=True,
        )

    async def _check(self, order: Order, rendering: Rendering, objects: Sequence[Rendered]) -> Decided:
        """Whose everything is that would be touched. Raises ForeignObject, ForeignDefinition, UnsafeDefinition."""
        me = _owner(order)

        async def defined() -> list[Rendered]:
            contents = await self._contents(me)
            return await asyncio.to_thread(read, [text for one in contents for text in one.crds])

        await self._ownership.check(objects, me, lambda: self._made(me))
        allow_unsafe = ALLOW_UNSAFE_CRDS in order.annotations
        policy = order.policies.crds
        return await self._definitions.decide(rendering.crds, me, policy, defined, allow_unsafe=allow_unsafe)

    async def _made(self, me: Owner) -> list[Rendered]:
        return (await self._recorded(me))[0]

    async def _recorded(self, me: Owner, revision: int = 0) -> tuple[list[Rendered], frozenset[str]]:
        """The objects and hooks of the release's records, or of one revision, and what of them is secret."""
        contents = await self._contents(me, revision)
        made = await asyncio.to_thread(read, [text for one in contents for text in (one.manifest, *one.hooks)])
        return made, frozenset[str]().union(*(secrets_of(made, one.values) for one in contents))

    async def _contents(self, me: Owner, revision: int = 0) -> list[Contents]:
        records = (await self._releases.records(me.namespace, me.release)).revisions
        return [await self._releases.contents(one) for one in records if revision in (0, one.revision)]

    def _values(self, order: Order, fetched: Fetched) -> Values:
        injected = injected_values(self._settings, fetched.package.dependencies, agent=order.agent)
        return Values(order.config, injected)

    def _hook_timeout(self, policies: Policies) -> int:
        return int(policies.hook_timeout or self._settings.hook_timeout)

    def _connection(self, extension: str, namespace: str) -> Connection:
        kubeconfig = self._settings.kubeconfig
        return Connection(
            namespace=namespace,
            kubeconfig=None if kubeconfig is None else str(kubeconfig),
            context=self._settings.context,
            user=account_user(extension, namespace),
        )


def _owner(order: Order) -> Owner:
    return Owner(order.desired.extension, order.release_name, order.desired.namespace)


async def _fits(approved: "Expected", rendering: Rendering) -> bool:
    from dovetail.helm.expecting import fits  # only plans with an approval need it, and it reads YAML

    return await asyncio.to_thread(fits, approved, rendering.manifests, rendering.crds)
