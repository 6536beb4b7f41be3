"""The operations, as the worker performs them: one function an operation, blocking, on a thread of the worker.

Each takes the operation's value, a token that can cancel it and a function that reports steps, and returns what goes
into the `Answer`. The SDK's errors pass through; the worker words them.
"""

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dovetail.helm import sdk, wire
from dovetail.helm.aliases import refuse_bombs
from dovetail.helm.errors import InvalidAssignment, StaleRendering
from dovetail.helm.freezing import RenderedChart, archive, labelled
from dovetail.helm.values import merged

Report = Callable[[str], None]
Result = dict[str, Any]

_HOOKS_ONLY = "hookOnly"
_WORKLOADS_TOO = "watcher"


def perform(operation: wire.Operation, token: sdk.CancelToken, report: Report) -> Result:
    """Do it. Raises the SDK's errors and HelmError."""
    match operation:
        case wire.Render():
            return _render(operation, report)
        case wire.Deploy():
            return _deploy(operation, token, report)
        case wire.Rollback():
            return _rollback(operation, report)
        case wire.RunTests():
            return _run_tests(operation, report)
        case wire.Uninstall():
            return _uninstall(operation, report)
        case wire.Status(release, connection):
            with sdk.open_config(connection) as config:
                return _summary(config.status(release))
        case wire.History(release, connection):
            with sdk.open_config(connection) as config:
                return {"revisions": [_summary(revision) for revision in config.history(release)]}
        case wire.ListReleases(connection):
            with sdk.open_config(connection) as config:
                return {"releases": [_summary(release) for release in config.list(all_states=True)]}
        case wire.Verify():
            return _verify(operation)
        case wire.ShowChart(chart):
            with sdk.load(chart) as loaded:
                return {"metadata": loaded.metadata, "values": loaded.values}


def _render(operation: wire.Render, report: Report) -> Result:
    report("rendering")
    with _maybe_config(operation.connection) as config, sdk.load(operation.chart) as chart:
        revision = operation.revision
        if not revision and config is not None:
            revision = _next(_last_revision(config, operation.release))
        rendered = sdk.render(
            chart,
            _values(operation.values),
            release=operation.release,
            namespace=operation.namespace,
            revision=revision or 1,
            config=config,
            capabilities=sdk.Capabilities(operation.kube_version, operation.api_versions),
        )
    refuse_bombs({**rendered.manifests, **dict(rendered.crds)})
    frozen = labelled(rendered, operation.object_labels)
    return {
        "metadata": dict(frozen.metadata),
        "values": dict(frozen.values),
        "manifests": dict(frozen.manifests),
        "crds": [list(crd) for crd in frozen.crds],
        "revision": revision or 1,
    }


def _deploy(operation: wire.Deploy, token: sdk.CancelToken, report: Report) -> Result:
    values = _values(operation.values)
    with sdk.open_config(operation.connection) as config:
        last = _last_revision(config, operation.release)
        with sdk.load(archive(_frozen(operation, values, config, _next(last), report))) as chart:
            if last is None or last["status"] == "uninstalled":
                report("installing")
                options = {**_options(operation), "replace": last is not None, "skip_crds": operation.skip_crds}
                return _summary(sdk.install(config, token, chart, operation.release, values, options))
            report("upgrading")
            # The values are already in the text; without `reset` Helm would merge the last release's into the record.
            options = {**_options(operation), "reset_values": True, "max_history": operation.max_history}
            return _summary(sdk.upgrade(config, token, chart, operation.release, values, options))


def _frozen(
    operation: wire.Deploy, values: Mapping[str, Any], config: Any, revision: int, report: Report
) -> RenderedChart:
    """What is to be installed: what the caller has seen, or rendered here and now."""
    given = operation.rendering
    if given is not None:
        if given.revision != revision:
            raise StaleRendering(given.revision, revision)
        return RenderedChart(given.metadata, given.values, given.manifests, given.crds)
    report("rendering")
    with sdk.load(operation.chart) as chart:
        rendered = sdk.render(
            chart,
            values,
            release=operation.release,
            namespace=operation.connection.namespace,
            revision=revision,
            config=config,
            capabilities=sdk.Capabilities(operation.kube_version, operation.api_versions),
        )
    return labelled(rendered, operation.object_labels)


def _run_tests(operation: wire.RunTests, report: Report) -> Result:
    report("testing")
    with sdk.open_config(operation.connection) as config:
        return config.test(operation.release, timeout=operation.timeout)


def _rollback(operation: wire.Rollback, report: Report) -> Result:
    report("rolling back")
    options = {
        "version": operation.revision,
        "timeout_seconds": operation.timeout,
        "wait": _WORKLOADS_TOO if operation.wait else _HOOKS_ONLY,
    }
    with sdk.open_config(operation.connection) as config:
        sdk.rollback(config, operation.release, options)
        return _summary(config.status(operation.release))


def _uninstall(operation: wire.Uninstall, report: Report) -> Result:
    report("uninstalling")
    with sdk.open_config(operation.connection) as config:
        return config.uninstall(
            operation.release,
            timeout=operation.timeout,
            wait=_WORKLOADS_TOO if operation.wait else _HOOKS_ONLY,
            ignore_not_found=True,
        )


def _verify(operation: wire.Verify) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        archive, ring = Path(folder, operation.file), Path(folder, "keys")
        archive.write_bytes(operation.archive)
        archive.with_name(f"{archive.name}.prov").write_bytes(operation.provenance)
        ring.write_bytes(operation.keyring)
        return sdk.verify(archive, ring)


def _options(operation: wire.Deploy) -> dict[str, Any]:
    return {
        "namespace": operation.connection.namespace,
        "timeout_seconds": operation.timeout,
        "wait": _WORKLOADS_TOO if operation.wait else _HOOKS_ONLY,
        "labels": operation.release_labels,
        "description": operation.description,
        "rollback_on_failure": operation.rollback_on_failure,
        # Validated by the first rendering; the frozen chart has no schema and its text nothing left to look up.
        "skip_schema_validation": True,
    }


def _maybe_config(connection: wire.Connection | None) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if connection is None else sdk.open_config(connection)


def _next(last: Mapping[str, Any] | None) -> int:
    return 1 if last is None else int(last["revision"]) + 1


def _last_revision(config: Any, release: str) -> Mapping[str, Any] | None:
    try:
        revisions: list[Mapping[str, Any]] = config.history(release, max_revisions=1)
    except sdk.NotFound:
        return None
    return revisions[-1] if revisions else None


def _values(values: wire.Values) -> dict[str, Any]:
    result = sdk.values_from_yaml(values.config)
    for text in values.files:
        result = merged(result, sdk.values_from_yaml(text))
    for flag, text in values.sets:
        try:
            result = merged(result, sdk.assignment(flag, text))
        except sdk.SdkError as error:
            raise InvalidAssignment(flag, text, str(error)) from error
    return merged(result, values.overrides)


def _summary(release: Mapping[str, Any]) -> Result:
    """Without the manifest: it is large, and whoever needs it reads the record."""
    return {key: value for key, value in release.items() if key != "manifest"}
