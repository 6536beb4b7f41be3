"""The package's own Helm tests, as a part of an installation or an upgrade.

Until the tests have run, the release's record is not marked with its target but as untested: a controller that dies in
between finds a release that is not what the plan wants, and deploys it again, tests included. Afterwards the record
gets the target, or, where tests must pass and did not, is marked failed: for Helm and for everybody else.
"""

from collections.abc import Iterable
from typing import Final

from dovetail.helm import storage
from dovetail.kube import SECRETS, Client, NotFound
from dovetail.lifecycle.errors import DeployFailed
from dovetail.lifecycle.releases import TARGET_LABEL, Releases
from dovetail.lifecycle.rendered import Rendered

UNTESTED: Final = "untested-"
"""In front of a target: a label's value is at most 63 long, a target 40."""


def tests_of(objects: Iterable[Rendered]) -> list[Rendered]:
    """The test hooks among them."""
    return [one for one in objects if one.is_test]


class TestedReleases:
    """Marks on a release's newest record."""

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    def __init__(self, client: Client) -> None:
        self._client = client
        self._releases = Releases(client)

    async def mark(self, namespace: str, release: str, target: str) -> None:
        """It is what was wanted. Raises KubeError."""
        latest = (await self._releases.records(namespace, release)).latest
        if latest is not None:
            change = {"metadata": {"labels": {TARGET_LABEL: target}}}
            await self._client.patch(SECRETS, latest.secret, change, namespace)

    async def fail(self, namespace: str, release: str, why: DeployFailed) -> None:
        """It does not do what it should. Raises KubeError."""
        latest = (await self._releases.records(namespace, release)).latest
        if latest is None:
            return
        try:
            secret = await self._client.get(SECRETS, latest.secret, namespace)
            await self._client.update(SECRETS, storage.marked_failed(secret, f"its tests failed: {why}"))
        except NotFound:  # somebody deleted the record; then there is nothing that could be taken as right
            return
