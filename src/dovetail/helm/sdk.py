"""The Helm SDK, typed. The only module that imports `helm_python`, and only the worker imports this one.

The library is a Go runtime behind a C ABI: some 90 MiB mapped, its own threads. The wrapper classes of the SDK leave
out options that the ABI has (server-side apply), so operations go through its call table with options of
our own. Observed and relied on, and held by tests/helm/test_worker_offline.py: rendering resolves dependencies (tags,
conditions, aliases) in the loaded chart, so that `crds` and `merge_values` afterwards speak of the enabled sub-charts
only.
"""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import helm_python
from helm_python import _native as native  # pyright: ignore[reportPrivateUsage]

from dovetail.helm import errors
from dovetail.helm.freezing import RenderedChart
from dovetail.helm.wire import Connection

_REASONS: dict[type[helm_python.HelmError], str] = {
    helm_python.HelmNotFoundError: errors.NOT_FOUND,
    helm_python.HelmCancelledError: errors.CANCELLED,
    helm_python.HelmKubeError: errors.UNREACHABLE,
    helm_python.HelmStorageError: errors.STORAGE,
    helm_python.HelmReleaseError: errors.RELEASE,
    helm_python.HelmInvalidArgError: errors.INVALID,
    helm_python.HelmChartLoadError: errors.INVALID,
    helm_python.HelmChartInvalidError: errors.INVALID,
    helm_python.HelmValuesError: errors.INVALID,
    helm_python.HelmRenderError: errors.INVALID,
}
_UNREACHABLE_WORDS = ("kubernetes cluster unreachable", "connection refused", "connection reset", "i/o timeout")

# Objects are created and patched as Helm 3 did, not by server-side apply: the permissions.yaml of published packages
# grant `create` where that would need `patch`, and a value edited by hand is overruled instead of being a conflict.

SdkError = helm_python.HelmError
NotFound = helm_python.HelmNotFoundError
CancelToken = helm_python.HelmContext


def reason_of(error: helm_python.HelmError) -> str:
    """Our word for the SDK's kind of error. The ABI reports an unreachable API as whatever action met it."""
    text = str(error).lower()
    if any(words in text for words in _UNREACHABLE_WORDS):
        return errors.UNREACHABLE
    return _REASONS.get(type(error), errors.INTERNAL)


def open_config(connection: Connection) -> helm_python.Config:
    return helm_python.Config(
        kubeconfig_path=connection.kubeconfig,
        kube_context=connection.context,
        kube_as_user=connection.user,
        kube_as_groups=list(connection.groups) or None,
        namespace=connection.namespace,
        # client-go's default of 5 requests a second would make a chart of 100 objects take 20 s.
        qps=200.0,
        burst_limit=400,
    )


def load(chart: bytes) -> helm_python.Chart:
    return helm_python.Chart.load_archive(chart)


def values_from_yaml(text: str) -> dict[str, Any]:
    """The user's values as Helm reads them. Raises HelmValuesError."""
    return helm_python.values_from_yaml(text) if text.strip() else {}


class Capabilities(NamedTuple):
    """What templates are told of the cluster; empty leaves it to Helm."""

    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


HELMS_OWN: Final = Capabilities()


def verify(archive: Path, keyring: Path) -> dict[str, Any]:
    """{"file_name", "file_hash", "signed_by": [...]}. Raises the SDK's errors."""
    return helm_python.verify(archive, keyring)


def assignment(flag: str, text: str) -> dict[str, Any]:
    """The values that one `--set...` assigns, `a.b[0]=c,d=e`. Raises the SDK's errors."""
    parsers: dict[str, Callable[[str], dict[str, Any]]] = {
        "set": helm_python.parse_set_string,
        "set-string": helm_python.parse_set_string_values,
        "set-json": helm_python.parse_set_json,
        "set-literal": helm_python.parse_set_literal,
    }
    return parsers[flag](text)


def render(
    chart: helm_python.Chart,
    values: Mapping[str, Any],
    *,
    release: str,
    namespace: str,
    revision: int,
    config: helm_python.Config | None,
    capabilities: Capabilities = HELMS_OWN,
) -> RenderedChart:
    """Render with the cluster's `lookup` when a config is given, else offline, where `lookup` finds nothing."""
    options: dict[str, Any] = {
        "name": release,
        "namespace": namespace,
        "revision": revision,
        "is_install": revision == 1,
        "is_upgrade": revision > 1,
    }
    told = {"kube_version": capabilities.kube_version, "api_versions": list(capabilities.api_versions)}
    options |= {key: value for key, value in told.items() if value}
    given = dict(values)
    chart.validate_schema(given)
    manifests = _render(chart, given, options, config)
    return RenderedChart(
        metadata=chart.metadata,
        values=chart.merge_values({}),
        manifests=manifests,
        crds=tuple((crd["filename"], crd["data"]) for crd in chart.crds),
    )


def _render(
    chart: helm_python.Chart, values: Mapping[str, Any], options: Mapping[str, Any], config: helm_python.Config | None
) -> dict[str, str]:
    # Through the call table: the wrapper classes do not pass a version of Kubernetes on.
    texts = (json.dumps(values), json.dumps(options))
    if config is None:
        return cast("dict[str, str]", json.loads(native.call_string("helm_render", _raw(chart), *texts)))
    rendered = native.call_string("helm_render_with_config", _raw(config), _raw(chart), *texts)
    return cast("dict[str, str]", json.loads(rendered))


def install(
    config: helm_python.Config, token: CancelToken, chart: helm_python.Chart, release: str, values: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    return _act("helm_install", config, token, chart, release, values, {**options, "server_side_apply": False})


def upgrade(
    config: helm_python.Config, token: CancelToken, chart: helm_python.Chart, release: str, values: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    return _act("helm_upgrade", config, token, chart, release, values, {**options, "server_side_apply": "false"})


def rollback(config: helm_python.Config, release: str, options: Mapping[str, Any]) -> None:
    native.call_status("helm_rollback", _raw(config), release, json.dumps({**options, "server_side_apply": "false"}))


def forward_logs(logger: logging.Logger) -> None:
    """Helm's log lines from now on go to `logger`; call it before the first config. Its progress is in debug lines."""
    helm_python.enable_logging(logging.DEBUG, logger)


def _act(
    function: str, config: helm_python.Config, token: CancelToken, chart: helm_python.Chart, release: str,
    values: Mapping[str, Any], options: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    text = native.call_string(
        function,
        _raw(config),
        _raw(token),
        _raw(chart),
        None,
        release,
        json.dumps(dict(values)),
        json.dumps(dict(options)),
    )
    return cast("dict[str, Any]", json.loads(text))


def _raw(handle: helm_python.Config | helm_python.Chart | CancelToken) -> object:
    return handle._raw()  # pyright: ignore[reportPrivateUsage]
