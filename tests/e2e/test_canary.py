"""H14: neither token nor cookie of whoever loads the console ever reaches the host that a bundle comes from."""

from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.demo.world import World, wait
from tests.e2e.echo import echo
from tests.e2e.running import answers

pytestmark = pytest.mark.e2e

LINK = "/dist/canary/index.js"


@pytest.fixture
def bundle(world: World) -> Iterator[str]:
    """A bundle whose host answers with what it was sent; its link."""
    with echo() as url:
        made = {
            "apiVersion": "extensions.kubesphere.io/v1alpha1",
            "kind": "JSBundle",
            "metadata": {"name": "canary"},
            "spec": {"rawFrom": {"url": f"{url}/index.js"}},
            "status": {"link": LINK},
        }
        world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(made))
        world.kubectl(
            "patch", "jsbundles.extensions.kubesphere.io", "canary", "--subresource=status", "--type=merge",
            "-p", '{"status": {"link": "' + LINK + '", "state": "Available"}}',
        )  # fmt: skip
        yield LINK
        world.kubectl("delete", "jsbundles.extensions.kubesphere.io", "canary")


def test_a_bundles_host_is_told_nothing(world: World, bundle: str) -> None:
    token = world.tokens["admin"]
    headers = {"Cookie": f"dovetail-token={token}; theirs=1", "X-Remote-User": "root", "X-Remote-Group": "canary"}

    def load(more: dict[str, str]) -> bytes:
        wait(lambda: answers(lambda: world.web.call("GET", world.url + bundle, headers=more)), "the bundle")
        return world.web.call("GET", world.url + bundle, headers=more).body

    for sent in (headers, {**headers, "Authorization": f"Bearer {token}"}):
        body = load(sent).decode()
        assert "index.js" in body, "it is what the host saw"
        for canary in (token, token[-40:], "theirs=1", "root", "authorization", "x-remote-"):
            assert canary.lower() not in body.lower(), canary
