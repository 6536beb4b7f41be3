"""Reading kubeconfigs as kubectl reads them, and saying what is wrong with the others."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest

from dovetail.kube import ClusterConfig, ConfigError
from dovetail.kube.config import in_cluster


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def document(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ns"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def write(path: Path, content: Any) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


def load(tmp_path: Path, content: Any, context: str | None = None) -> ClusterConfig:
    return ClusterConfig.load(write(tmp_path / "config", content), context)


def test_every_field(tmp_path: Path) -> None:
    user = {
        "client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY"), "token": "t", "tokenFile": "tok",
        "as": "jane", "as-uid": "7", "as-groups": ["g"], "as-user-extra": {"k": ["v"]}, "client-key": "/abs/key",
    }  # fmt: skip
    cluster = {
        "certificate-authority-data": encoded("CA"), "insecure-skip-tls-verify": True, "tls-server-name": "n",
        "proxy-url": "http://p", "certificate-authority": "pki/ca.crt",
    }  # fmt: skip
    config = load(tmp_path, document(user, **cluster))
    assert (config.server, config.namespace, config.source) == ("https://api:6443", "ns", str(tmp_path / "config"))
    assert (config.ca_data, config.ca_file, config.insecure) == ("CA", tmp_path / "pki/ca.crt", True)
    assert (config.client_cert_data, config.client_key_data, config.client_key_file) == (
        "CERT",
        "KEY",
        Path("/abs/key"),
    )
    assert (config.token, config.token_file, config.tls_server_name) == ("t", tmp_path / "tok", "n")
    assert (config.impersonate_user, config.impersonate_uid, config.impersonate_groups) == ("jane", "7", ("g",))
    assert config.impersonate_extra == (("k", ("v",)),)


def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    user = {"token": "s3cret", "password": "s3cret", "client-key-data": encoded("s3cret")}
    assert "s3cret" not in repr(load(tmp_path, document(user)))


def test_yaml_and_another_context(tmp_path: Path) -> None:
    text = b"""
    apiVersion: v1
    current-context: a
    contexts:
    - {name: a, context: {cluster: a}}
    - {name: b, context: {cluster: b}}
    clusters:
    - {name: a, cluster: {server: "http://a:1"}}
    - {name: b, cluster: {server: "http://b:2"}}
    """
    assert load(tmp_path, text).server == "http://a:1"
    assert load(tmp_path, text, "b").server == "http://b:2"
    assert load(tmp_path, text, "b").ssl_context() is None


def test_several_files_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = document(), document(**{"certificate-authority": "ca"})
    del one["clusters"]
    one["current-context"] = ""
    (tmp_path / "2").mkdir()
    files = [write(tmp_path / "1", one), write(tmp_path / "2" / "config", two)]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    assert ClusterConfig.load().ca_file == tmp_path / "2" / "ca"


def test_exec_plugins(tmp_path: Path) -> None:
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "./get-token", "args": ["x"],
        "env": [{"name": "A", "value": "b"}], "provideClusterInfo": True, "installHint": "get it",
    }  # fmt: skip
    plugin = load(tmp_path, document({"exec": spec})).exec
    assert plugin is not None
    assert (plugin.command, plugin.args, plugin.env) == (str(tmp_path / "get-token"), ("x",), (("A", "b"),))
    assert plugin.cluster == {"server": "https://api:6443/"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x00\x01", "is not YAML"),
        (b"{a: [", "is not YAML"),
        (b"[]", "not a mapping"),
        (b"just text", "not a mapping"),
        (b"{}", "no current-context"),
        (document() | {"clusters": []}, "clusters has no entry named 'c'"),
        (document() | {"users": None}, "users has no entry named 'u'"),
        (document(server="api:6443"), "https://host:port"),
        (document(**{"certificate-authority-data": "?"}), "not base64"),
        (document({"auth-provider": {"name": "gcp"}}), "use an exec plugin"),
        (document({"token": 5}), "must be a string"),
        (document({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1"}}), "update the plugin"),
        (document({"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}), "command is missing"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        load(tmp_path, content)


def test_no_configuration_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="--kubeconfig"):
        ClusterConfig.load()
    with pytest.raises(ConfigError, match="cannot be read"):
        ClusterConfig.load(tmp_path / "missing")
    write(tmp_path / "big", b"a: " + b"x" * (4 * 1024 * 1024))
    with pytest.raises(ConfigError, match="larger than"):
        ClusterConfig.load(tmp_path / "big")


def test_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ConfigError, match="no service account"):
        in_cluster(tmp_path)
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("dovetail\n")
    config = in_cluster(tmp_path)
    assert (config.server, config.namespace) == ("https://[fd00::1]:443", "dovetail")
    assert (config.token_file, config.ca_file) == (tmp_path / "token", tmp_path / "ca.crt")


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a PEM certificate"):
        load(tmp_path, document(**{"certificate-authority-data": encoded("no")})).ssl_context()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, document(**{"certificate-authority": "none.crt"})).ssl_context()
    with pytest.raises(ConfigError, match="without its key"):
        load(tmp_path, document({"client-certificate-data": encoded("no")})).ssl_context()
    both = {"client-certificate-data": encoded("no"), "client-key-data": encoded("no")}
    with pytest.raises(ConfigError, match="cannot be used"):
        load(tmp_path, document(both)).ssl_context()
