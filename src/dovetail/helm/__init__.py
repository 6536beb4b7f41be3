"""The one door to Helm: render, install, upgrade, roll back, uninstall, through the Helm SDK in its worker process.

    async with HelmWorker() as helm:
        await helm.call(Deploy(release="greeter", chart=archive, connection=Connection(namespace="extension-greeter")))

`HelmWorker` (client) and `python -m dovetail.helm.worker` are the two ends of a pipe; `wire` is what passes between
them; `freezing` and `labelling` put the extension's label on every object; `storage` reads and unlocks Helm's own
records without Helm. The room knows releases, not extensions: what to install and when is `lifecycle`'s.
"""

from dovetail.helm.client import HelmWorker
from dovetail.helm.errors import HelmError, HelmRefused, HelmTimeout, HelmWorkerDied
from dovetail.helm.wire import (
    Connection,
    Deploy,
    History,
    ListReleases,
    Progress,
    Render,
    Rendering,
    Rollback,
    RunTests,
    ShowChart,
    Status,
    Uninstall,
    Values,
    Verify,
)

__all__ = [
    "Connection",
    "Deploy",
    "HelmError",
    "HelmRefused",
    "HelmTimeout",
    "HelmWorker",
    "HelmWorkerDied",
    "History",
    "ListReleases",
    "Progress",
    "Render",
    "Rendering",
    "Rollback",
    "RunTests",
    "ShowChart",
    "Status",
    "Uninstall",
    "Values",
    "Verify",
]
