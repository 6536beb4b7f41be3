"""Where resources live: what cannot be addressed safely is refused."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, InvalidPath, Resource, path_of


@pytest.mark.parametrize(
    ("resource", "arguments", "path"),
    [
        (CONFIGMAPS, (), "/api/v1/configmaps"),
        (CONFIGMAPS, ("a",), "/api/v1/namespaces/a/configmaps"),
        (CONFIGMAPS, ("a", "b"), "/api/v1/namespaces/a/configmaps/b"),
        (DEPLOYMENTS, ("a", "b", "scale"), "/apis/apps/v1/namespaces/a/deployments/b/scale"),
        (NAMESPACES, (None, "a", "finalize"), "/api/v1/namespaces/a/finalize"),
        (Resource("g.io", "v1", "ws", "W", False), ("", "n:x@y"), "/apis/g.io/v1/ws/n:x@y"),
        (CONFIGMAPS, ("a", "ü b"), "/api/v1/namespaces/a/configmaps/%C3%BC%20b"),
    ],
)
def test_paths(resource: Resource, arguments: tuple[str | None, ...], path: str) -> None:
    assert path_of(resource, *arguments) == path
    assert resource.path(*arguments) == path


@pytest.mark.parametrize(
    ("resource", "arguments"),
    [
        (CONFIGMAPS, ("a", "..")),
        (CONFIGMAPS, ("a", "")),
        (CONFIGMAPS, ("a", "../../secrets/x")),
        (CONFIGMAPS, ("a", "%2e%2e")),
        (CONFIGMAPS, ("a/b", "x")),
        (CONFIGMAPS, (None, "x")),
        (NAMESPACES, ("a", "x")),
        (NAMESPACES, (None, "x", "../y")),
    ],
)
def test_refused(resource: Resource, arguments: tuple[str | None, ...]) -> None:
    with pytest.raises(InvalidPath):
        path_of(resource, *arguments)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_path_always_names_the_object_it_was_made_for(namespace: str, name: str) -> None:
    try:
        path = path_of(CONFIGMAPS, namespace, name)
    except (InvalidPath, UnicodeEncodeError):
        return
    assert [unquote(part) for part in path.split("/")] == ["", "api", "v1", "namespaces", namespace, "configmaps", name]
    assert not set(path) & set("?# \r\n")
