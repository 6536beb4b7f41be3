"""One console process: the parts put together and run."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from functools import partial

from dovetail.apis.dialects import ExtensionEntry, extension_entry
from dovetail.apis.errors import InvalidObject
from dovetail.apis.extensions_v1alpha1 import EXTENSIONENTRIES
from dovetail.console.app import create_app
from dovetail.console.boot import BootExtension, bundles_token, extensions_of
from dovetail.console.bundles.keeper import BundleKeeper
from dovetail.console.bundles.store import BundleStore
from dovetail.console.catalogue import watch_catalogue
from dovetail.console.changes import Changes
from dovetail.console.listening import listen_and_serve
from dovetail.console.settings import ConsoleSettings
from dovetail.kube import Client, ClusterConfig, ControllerRuntime, Informer, Object


def _readable(objects: Iterable[Object]) -> Iterable[ExtensionEntry]:
    for obj in objects:
        try:
            yield extension_entry(obj)
        except InvalidObject:
            continue  # said by whoever accepted it; a menu that cannot be read is not shown


class Console:
    """The parts of a console process and what connects them."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self.changes = Changes(secrets.token_hex(4))
        self.store = BundleStore(self._announce)
        self._entries: Informer = runtime.informer(EXTENSIONENTRIES, optional=True)
        self.keeper = BundleKeeper(runtime, self.store)
        self._entries.add_handler(lambda type, old, new: self._announce())
        watch_catalogue(runtime, self.changes.touch_catalogue)
        self._announce()

    def extensions(self) -> tuple[BootExtension, ...]:
        return extensions_of(self.store.served(), _readable(self._entries.lister))

    def settled(self) -> bool:
        return self.keeper.settled and self._entries.synced

    def _announce(self) -> None:
        self.changes.set_bundles(bundles_token(self.extensions()))


async def serve(settings: ConsoleSettings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Run until cancelled. The page is there at once, before the cluster was looked at.

    Raises kube.ConfigError for a bad kubeconfig, SocketInUse, NotSynced when the cluster cannot be read for long.
    """
    async with Client(ClusterConfig.load(settings.kubeconfig)) as client:
        runtime = ControllerRuntime(client)
        console = Console(runtime)
        app = create_app(settings, console.store, console.changes, console.extensions, console.settled)
        serving = partial(listen_and_serve, app, settings.socket_path, on_ready, console.changes.close)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runtime.run(), name="console informers")
            tasks.create_task(serving(), name="console server")
