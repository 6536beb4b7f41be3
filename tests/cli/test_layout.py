"""Which processes `dovetail up` runs, and with which arguments."""

from pathlib import Path

from dovetail.cli.audit_log import AuditLog
from dovetail.cli.datadir import DataDirectory
from dovetail.cli.gateway_control import file_settings
from dovetail.cli.layout import Address, Layout
from dovetail.gateway.audit.file_sink import FileSettings

DATA = DataDirectory(Path("/data"))
HERE = Address("127.0.0.1", 30880)


def arguments(layout: Layout) -> dict[str, tuple[str, ...]]:
    specs = (*layout.cluster(), *layout.gateway_workers(), layout.gateway_control(), layout.console())
    return {spec.name: spec.arguments for spec in (*specs, layout.controllers())}


def test_each_part_has_its_own_credentials_on_the_embedded_cluster() -> None:
    found = arguments(Layout(DATA, HERE, 16443, workers=2))

    assert set(found) == {
        "kube", "gateway-worker-0", "gateway-worker-1", "gateway-control", "console", "controller-manager",
    }  # fmt: skip
    used = {name: found[name][found[name].index("--kubeconfig") + 1] for name in found if "--kubeconfig" in found[name]}
    assert used == {
        "gateway-control": "/data/kubeconfigs/gateway.yaml",
        "console": "/data/kubeconfigs/console.yaml",
        "controller-manager": "/data/kubeconfigs/controllers.yaml",
    }


def test_a_given_cluster_is_used_by_all_and_none_is_started() -> None:
    found = arguments(Layout(DATA, HERE, 0, workers=1, kubeconfig=Path("/mine")))

    assert "kube" not in found
    assert all("/mine" in found[name] for name in ("gateway-control", "console", "controller-manager"))


def test_workers_share_a_port_and_nothing_else() -> None:
    first, second = (spec.arguments for spec in Layout(DATA, HERE, 0, workers=2).gateway_workers())

    assert set(first) ^ set(second) == {"/data/run/metrics-0.sock", "/data/run/metrics-1.sock"}


def test_verbose_reaches_everybody() -> None:
    assert all("--verbose" in given for given in arguments(Layout(DATA, HERE, 1, verbose=True)).values())


def test_the_domain_of_ingresses_goes_to_the_controllers() -> None:
    found = arguments(Layout(DATA, HERE, 1, ingress_domain="apps.example.com"))
    assert found["controller-manager"][-2:] == ("--ingress-domain", "apps.example.com")


def test_every_worker_knows_the_proxies_in_front() -> None:
    layout = Layout(DATA, HERE, 0, workers=2, trusted_proxies=("10.0.0.0/8", "::1"))
    for spec in layout.gateway_workers():
        named = [spec.arguments[at + 1] for at, text in enumerate(spec.arguments) if text == "--trusted-proxy"]
        assert named == ["10.0.0.0/8", "::1"]
    assert not any("--trusted-proxy" in spec.arguments for spec in Layout(DATA, HERE, 0).gateway_workers())


def test_the_audits_file_lies_in_the_data_directory_unless_said_otherwise(tmp_path: Path) -> None:
    data, gateway = DataDirectory(tmp_path), Address("127.0.0.1", 1)

    def path_of(audit: AuditLog) -> str:
        arguments = Layout(data, gateway, 2, audit=audit).gateway_control().arguments
        return arguments[arguments.index("--audit-log-path") + 1]

    assert path_of(AuditLog()) == str(tmp_path / "audit" / "audit.log")
    assert path_of(AuditLog("/var/log/audit.log")) == "/var/log/audit.log"
    assert file_settings(AuditLog("off")) is None
    assert file_settings(AuditLog("/a", 3, 4, 5)) == FileSettings(Path("/a"), 5 << 20, 3.0, 4)
