"""The controllers of the lifecycle, wired together: settings to running parts.

One client, shared caches, one Helm worker; each controller is a reconciler with its watches. Nothing is decided here.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import (
    CATEGORIES,
    EXTENSIONS,
    EXTENSIONVERSIONS,
    INSTALLPLANS,
    REPOSITORIES,
    SUBSCRIPTIONS,
)
from dovetail.helm import HelmWorker, storage
from dovetail.kube import (
    CONFIGMAPS,
    NAMESPACES,
    SECRETS,
    Client,
    ClusterConfig,
    Controller,
    ControllerRuntime,
    EventRecorder,
    Informer,
    Key,
    LeaderElector,
    uid_of,
)
from dovetail.kube.resources import Object
from dovetail.lifecycle.agent_parts import AgentParts
from dovetail.lifecycle.agents import Agents
from dovetail.lifecycle.automatic_upgrades import AutomaticUpgrades
from dovetail.lifecycle.carrying_out import Publisher
from dovetail.lifecycle.categories import BY_CATEGORY, CategoryReconciler, category_of
from dovetail.lifecycle.clusters import Clusters, NoClusters
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.deployment import Deployer
from dovetail.lifecycle.drifting import DriftReconciler
from dovetail.lifecycle.extensions import BY_EXTENSION, ExtensionReconciler, extension_of_version, slim
from dovetail.lifecycle.fetching import Fetcher
from dovetail.lifecycle.image_repositories import ImageRepositories, ServiceResolver
from dovetail.lifecycle.interrupts import Interrupts
from dovetail.lifecycle.observing import Observer
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.pauses import Pauses
from dovetail.lifecycle.plans import PlanReconciler
from dovetail.lifecycle.platform_settings import keep_published
from dovetail.lifecycle.receipting import Receipting
from dovetail.lifecycle.receipts import ReceiptKeeper, Receipts
from dovetail.lifecycle.repositories import RepositoryReconciler
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.sites import Site
from dovetail.lifecycle.sources import Sources
from dovetail.lifecycle.subscriptions import SubscriptionReconciler, subscription_of
from dovetail.lifecycle.switching import Switchboard, extension_of
from dovetail.lifecycle.turns import Turns
from dovetail.lifecycle.versions import VersionReconciler
from dovetail.lifecycle.waking import wakes_others
from dovetail.lifecycle.warming import Warming
from dovetail.lifecycle.workloads import Workloads

_log = logging.getLogger(__name__)

COMPONENT = "dovetail-lifecycle"
MoreControllers = Callable[[ControllerRuntime], Iterable[Controller]]
_PLAN_TIMEOUT = 3600.0
_SYNC_TIMEOUT = 3600.0


class _Caches:
    """The informers that several controllers share."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self.plans = runtime.informer(INSTALLPLANS, optional=True)
        self.versions = runtime.informer(
            EXTENSIONVERSIONS, indexers={BY_EXTENSION: extension_of_version}, transform=slim, optional=True
        )
        self.extensions = runtime.informer(
            EXTENSIONS, indexers={BY_CATEGORY: category_of}, transform=slim, optional=True
        )
        self.repositories = runtime.informer(REPOSITORIES, optional=True)
        self.categories = runtime.informer(CATEGORIES, optional=True)
        self.subscriptions = runtime.informer(SUBSCRIPTIONS, optional=True)


async def serve(
    settings: LifecycleSettings,
    on_ready: Callable[[], None],
    more: MoreControllers = lambda runtime: (),
    clusters: Clusters | None = None,
) -> None:
    """Run all controllers until cancelled; `on_ready` is called when their caches are filled.

    `more` makes controllers of other rooms that live in the same process, on the same caches and under the same lease.
    `clusters` are the members that agents are installed on; none when it is left out.
    """
    config = ClusterConfig.load(settings.kubeconfig, settings.context)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(config, user_agent=COMPONENT))
        helm = await stack.enter_async_context(HelmWorker(idle_seconds=settings.worker_idle))
        fetcher = await stack.enter_async_context(Fetcher(ServiceResolver(client)))
        elector = LeaderElector(client, COMPONENT, settings.namespace) if settings.leader_elect else None
        runtime = ControllerRuntime(client, elector=elector)
        platform = Platform(await _kubernetes_version(client), settings.platform_version)
        caches = _Caches(runtime)
        warming, agents = _assemble(
            runtime, caches, helm, fetcher, settings, platform, clusters if clusters is not None else NoClusters()
        )
        stack.push_async_callback(agents.close)
        stack.push_async_callback(warming.close)
        for controller in more(runtime):
            runtime.add(controller)
        runtime.add_task("settings for previews", lambda: keep_published(client, settings))

        def ready() -> None:
            present = set(map(uid_of, caches.versions.lister))

            def published(type: str, old: Object | None, new: Object, /) -> None:
                if type == "ADDED" and uid_of(new) not in present:
                    warming.begin()

            caches.versions.add_handler(published)
            present.clear()
            on_ready()

        await runtime.run(ready)


def _assemble(
    runtime: ControllerRuntime,
    caches: _Caches,
    helm: HelmWorker,
    fetcher: Fetcher,
    settings: LifecycleSettings,
    platform: Platform,
    clusters: Clusters,
) -> tuple[Warming, AgentParts]:
    client, recorder = runtime.client, EventRecorder(runtime.client, COMPONENT)
    sources = Sources(client, fetcher, settings.local_repositories)
    repositories = RepositoryReconciler(
        client,
        sources,
        Publisher(client, sources, helm, caches.extensions),
        recorder,
        ImageRepositories(client),
        repositories=caches.repositories,
        versions=caches.versions,
        extensions=caches.extensions,
        plans=caches.plans,
    )
    packages = PackageSource(client, sources, helm, repositories.find)
    switchboard = Switchboard(runtime)
    pauses = Pauses()
    deployer = Deployer(client, helm, packages, settings)
    interrupts = Interrupts(caches.plans.lister.get)
    receipts, workloads, turns = Receipts(client), Workloads(runtime), Turns()
    site, warming = Site(client, deployer, switchboard, workloads), Warming(helm)
    plans = PlanReconciler(client, site, recorder, pauses, interrupts, Receipting(receipts, recorder), turns, warming)
    observer = plans.observer = Observer(
        client, settings, platform, switchboard, workloads, caches.plans, caches.versions, pauses.is_over
    )
    extensions = ExtensionReconciler(client, caches.extensions, caches.versions, caches.plans, platform)

    runtime.add(_plan_controller(runtime, plans, caches, [*switchboard.informers, *workloads.informers]))
    runtime.add(ReceiptKeeper(client, receipts).controller(runtime))
    drift = DriftReconciler(client, caches.plans, turns, recorder, interval=settings.drift_interval)
    texts = runtime.informer(CONFIGMAPS, label_selector=labels.EXTENSION_REF, metadata_only=True)
    runtime.add(drift.controller([*switchboard.informers, *workloads.informers, texts]))
    controller = Controller("repositories", repositories.reconcile, workers=4, timeout=_SYNC_TIMEOUT)
    controller.watches(caches.repositories)
    runtime.add(controller)
    controller = Controller("extensions", extensions.reconcile)
    controller.watches(caches.extensions)
    controller.watches(caches.versions, lambda obj: _keys(extension_of_version(obj)))
    controller.watches(caches.plans)
    runtime.add(controller)
    versions = VersionReconciler(client, packages, caches.versions, caches.extensions)
    controller = Controller("extensionversions", versions.reconcile, workers=2)
    controller.watches(caches.versions)
    runtime.add(controller)
    categories = CategoryReconciler(client, caches.categories, caches.extensions)
    controller = Controller("categories", categories.reconcile)
    controller.watches(caches.categories)
    controller.watches(caches.extensions, lambda obj: _keys(category_of(obj)))
    runtime.add(controller)
    subscriptions = SubscriptionReconciler(client, caches.subscriptions, caches.plans)
    upgrades = AutomaticUpgrades(client, recorder, caches.plans, caches.extensions, observer.obstacle)
    controller = Controller("automatic-upgrades", upgrades.reconcile)
    controller.watches(caches.plans)
    controller.watches(caches.extensions)
    runtime.add(controller)
    controller = Controller("subscriptions", subscriptions.reconcile)
    controller.watches(caches.subscriptions)
    controller.watches(caches.plans, subscription_of)
    runtime.add(controller)
    agents = AgentParts(client, clusters, settings, packages, recorder, observer, caches.plans.lister.get)
    runtime.add(_agents_controller(caches, agents))
    return warming, agents


def _plan_controller(
    runtime: ControllerRuntime, plans: PlanReconciler, caches: _Caches, parts: Iterable[Informer]
) -> Controller:
    """A plan is looked at when it, its versions, its release, its namespace or one of its API objects changes."""
    controller = Controller("installplans", plans.reconcile, workers=4, timeout=_PLAN_TIMEOUT)
    known: Callable[[Object], Iterable[Key]] = lambda obj: _known(caches.plans, extension_of(obj))  # noqa: E731
    controller.watches(caches.plans)
    wakes_others(controller, caches.plans, caches.versions)
    caches.plans.add_handler(plans.interrupts.notice)
    controller.watches(caches.versions, lambda obj: _known(caches.plans, extension_of_version(obj)))
    releases = runtime.informer(
        SECRETS, label_selector=f"{storage.SELECTOR},{labels.EXTENSION_REF}", metadata_only=True
    )
    controller.watches(releases, known)
    controller.watches(runtime.informer(NAMESPACES, label_selector=labels.EXTENSION_REF, metadata_only=True), known)
    for informer in parts:
        controller.watches(informer, known)
    return controller


def _agents_controller(caches: _Caches, parts: AgentParts) -> Controller:
    """One key for each agent: a cluster and an extension. Nothing is queued as long as no plan places an agent."""
    agents = Agents(parts.client, parts.known, parts.recorder, caches.plans, parts.make)
    controller = Controller("agents", agents.reconcile, workers=8, timeout=_PLAN_TIMEOUT)
    controller.watches(caches.plans, agents.keys)
    caches.plans.add_handler(agents.notice)

    def wake(cluster: str) -> None:
        for key in agents.keys_on(cluster):
            controller.enqueue(key)

    parts.known.on_change(wake)
    return controller


def _keys(names: Iterable[str]) -> list[Key]:
    return [Key("", name) for name in names]


def _known(plans: Informer, names: Iterable[str]) -> list[Key]:
    """Only extensions that have a plan: for the others there is nothing to reconcile."""
    return [Key("", name) for name in names if plans.lister.get(name) is not None]


async def _kubernetes_version(client: Client) -> str:
    """`v1.36.0`, or empty when the API does not say: then no constraint on it is enforced."""
    import orjson

    answer = await client.request("GET", "/version")
    if answer.status != 200:
        _log.warning("the Kubernetes API does not tell its version (%d); kubeVersion is not enforced", answer.status)
        return ""
    return str(orjson.loads(answer.body).get("gitVersion") or "")
