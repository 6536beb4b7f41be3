"""States of API objects, and the status that a manifest declares."""

import pytest

from dovetail.lifecycle.switching import declared_statuses, wanted_state

MANIFEST = """---
# Source: greeter/templates/bundle.yaml
apiVersion: extensions.kubesphere.io/v1alpha1
kind: JSBundle
metadata:
  name: greeter
status:
  state: Available
  link: /dist/greeter/index.js
---
# Source: greeter/templates/api.yaml
apiVersion: extensions.kubesphere.io/v1alpha1
kind: APIService
metadata: {name: v1.greeter}
status: {state: Available}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: x, labels: {kubesphere.io/extension-ref: greeter}}
data: {status: "{{ kubesphere.io/ }}"}
"""


@pytest.mark.parametrize(
    ("state", "enabled", "expected"),
    [
        ("", True, "Available"),
        ("Disabled", True, "Available"),
        ("Available", True, "Available"),
        ("Unavailable", True, "Unavailable"),
        ("", False, "Disabled"),
        ("Unavailable", False, "Disabled"),
    ],
)
def test_health_has_its_say_while_enabled(state: str, enabled: bool, expected: str) -> None:
    assert wanted_state(state, enabled) == expected


def test_a_declared_status_is_found_without_its_state() -> None:
    (found,) = declared_statuses(MANIFEST)
    assert (found[0].plural, found[1], found[2]) == ("jsbundles", "greeter", {"link": "/dist/greeter/index.js"})
