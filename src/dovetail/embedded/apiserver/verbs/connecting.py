"""log, exec, attach, portforward and proxy: the checks of the API before a node is asked.

What needs a container goes to ``NodeStreams``. Without one, answers are those of a kube-apiserver whose nodes cannot
be reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from ..admission import chain
from ..admission.plugin import CONNECT, Attributes
from ..errors import BadRequest, Invalid, NotFound, StatusError, Unavailable
from ..fielderrors import FieldError, forbidden, invalid
from ..foreign import part, parts
from ..service_endpoints import NoEndpoint, Service, resolve
from ..storage.records import ObjectKey
from .answer import Answer, Stream
from .call import Call
from .decoding import Object
from .node_streams import LogOptions
from .storing import existing

_KUBELET = 10250
_ADDRESSES = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")
_OPTIONS = {
    "exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions",
    "pods": "PodProxyOptions", "services": "ServiceProxyOptions", "nodes": "NodeProxyOptions",
}  # fmt: skip


class NodeUnreachable(StatusError):
    """kube-apiserver gives these no reason."""

    code, reason = 500, ""


async def logs(call: Call) -> Answer | Stream:
    """GET pods/<name>/log."""
    options = _log_options(call)
    pod = call.resource.decode(existing(call).value)
    container = _container(pod, options.container)
    if not part(pod, "spec").get("nodeName"):
        return Answer(b"", 204, "text/plain")  # nothing was said yet
    if call.api.nodes is not None:
        return Stream(call.api.nodes.logs(pod, replace(options, container=container)), "text/plain")
    address = _node_address(call, pod)
    where = f"https://{address}/containerLogs/{call.namespace}/{call.info.name}/{container}"
    raise NodeUnreachable(f'Get "{where}": dial tcp {address}: connect: connection refused')


def _log_options(call: Call) -> LogOptions:
    query = call.query

    def number(name: str) -> int | None:
        return query.number(name) if query.get(name) else None

    options = LogOptions(
        query.get("container"), query.flag("follow"), query.flag("previous"), query.flag("timestamps"),
        number("sinceSeconds"), query.get("sinceTime"), number("tailLines"), number("limitBytes"),
    )  # fmt: skip
    if errors := list(_log_errors(options)):
        raise Invalid("", "PodLogOptions", call.info.name, errors)
    return options


def _log_errors(options: LogOptions) -> Iterator[FieldError]:
    if options.tail_lines is not None and options.tail_lines < 0:
        yield invalid("tailLines", options.tail_lines, "must be greater than or equal to 0")
    if options.limit_bytes is not None and options.limit_bytes < 1:
        yield invalid("limitBytes", options.limit_bytes, "must be greater than 0")
    if options.since_seconds is not None and options.since_time:
        yield forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
    elif options.since_seconds is not None and options.since_seconds < 1:
        yield invalid("sinceSeconds", options.since_seconds, "must be greater than 0")


async def connect(call: Call) -> Answer | Stream:
    """exec, attach and portforward."""
    if call.query.has("dryRun"):
        raise BadRequest("dryRun is not supported")
    options = _connect_options(call)
    await _admit(call, options)
    pod = call.resource.decode(existing(call).value)
    name = call.info.name
    if call.info.subresource != "portforward":
        phase = part(pod, "status").get("phase")
        if phase in ("Succeeded", "Failed"):
            text = f"cannot {call.info.subresource} into a container in a completed pod; current phase is {phase}"
            raise BadRequest(text.replace("attach into", "attach"))
        options["container"] = _container(pod, str(options.get("container") or ""))
    if not part(pod, "spec").get("nodeName"):
        raise BadRequest(f"pod {name} does not have a host assigned")
    if call.api.nodes is not None:
        return await call.api.nodes.connect(call, pod, options)
    raise NodeUnreachable(f"error dialing backend: dial tcp {_node_address(call, pod)}: connect: connection refused")


def _connect_options(call: Call) -> Object:
    query, subresource = call.query, call.info.subresource
    options: Object = {"kind": _OPTIONS[subresource], "apiVersion": "v1"}
    if subresource == "portforward":
        ports = [int(text) for text in query.all("ports") if text.isdigit()]
        return options | ({"ports": ports} if ports else {})
    options |= {name: True for name in ("stdin", "stdout", "stderr", "tty") if query.flag(name)}
    if query.get("container"):
        options["container"] = query.get("container")
    if subresource == "exec" and query.all("command"):
        options["command"] = query.all("command")
    return options


async def _admit(call: Call, options: Object) -> None:
    kind = ("", "v1", str(options["kind"]))
    attributes = Attributes(
        call.api, CONNECT, call.resource, call.info.subresource, call.namespace, call.info.name, options, None,
        call.user, False, {}, call.warnings, kind=kind,
    )  # fmt: skip
    await chain.admit(attributes)


def _container(pod: Object, wanted: str) -> str:
    """The container's name; a pod with one container needs none said. Raises BadRequest."""
    spec, name = part(pod, "spec"), pod["metadata"]["name"]
    plain = [str(c.get("name")) for c in parts(spec, "containers")]
    first = [str(c.get("name")) for c in parts(spec, "initContainers")]
    later = [str(c.get("name")) for c in parts(spec, "ephemeralContainers")]
    if wanted:
        if wanted not in (*plain, *first, *later):
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(plain) == 1:
        return plain[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(plain)}]"
    if first:
        text += f" or one of the init containers: [{' '.join(first)}]"
    if later:
        text += f" or one of the ephemeral containers: [{' '.join(later)}]"
    raise BadRequest(text)


def _node_address(call: Call, pod: Object) -> str:
    """Where the pod's kubelet would be. Raises NotFound, NodeUnreachable."""
    name = str(part(pod, "spec")["nodeName"])
    record = call.api.store.latest(ObjectKey("/nodes", "", name))
    if record is None:
        raise NotFound("", "nodes", name)
    return _address_of(orjson.loads(record.value))


def _address_of(node: Object) -> str:
    known = {str(a.get("type")): str(a.get("address")) for a in parts(node, "status", "addresses")}
    port = part(node, "status", "daemonEndpoints", "kubeletEndpoint").get("Port") or _KUBELET
    for kind in _ADDRESSES:
        if kind in known:
            return f"{known[kind]}:{port}"
    raise NodeUnreachable(f"no preferred addresses found; known addresses: [{' '.join(known.values())}]")


# -- proxy


async def proxy(call: Call) -> Answer | Stream:
    """``pods``, ``services`` and ``nodes``: ``[scheme:]name[:port]`` is what the URL names."""
    scheme, name, port = _split(call.info.name)
    path = "/" + call.info.path.partition("/proxy/")[2]
    options = {"kind": _OPTIONS[call.resource.plural], "apiVersion": "v1", "path": path}
    await _admit(call, options)
    record = call.api.store.latest(ObjectKey(call.resource.store, call.namespace, name))
    if record is None:
        raise NotFound("", call.resource.plural, name)
    target = call.resource.decode(record.value)
    address = _target_address(call, target, port)
    if call.api.nodes is not None:
        return await call.api.nodes.proxy(call, target, f"{scheme}:{port}" if scheme else port, path)
    raise Unavailable(f"error trying to reach service: dial tcp {address}: connect: connection refused")


def _split(text: str) -> tuple[str, str, str]:
    """(scheme, name, port)"""
    parts_of = text.split(":")
    if len(parts_of) > 3 or (len(parts_of) == 3 and parts_of[0] not in ("", "http", "https")):
        raise BadRequest(f'invalid pod request "{text}"')
    if len(parts_of) == 3:
        return parts_of[0], parts_of[1], parts_of[2]
    return "", parts_of[0], parts_of[1] if len(parts_of) == 2 else ""


def _target_address(call: Call, target: Object, port: str) -> str:
    if call.resource.plural == "nodes":
        return _address_of(target)
    if call.resource.plural == "services":
        return _service_address(call, target, port)
    address: Any = part(target, "status").get("podIP")
    if not address:
        raise BadRequest("address not allowed")
    return f"{address}:{port or _first_port(target)}"


def _first_port(pod: Object) -> int:
    ports = [p.get("containerPort") for c in parts(pod, "spec", "containers") for p in parts(c, "ports")]
    return int(ports[0]) if ports else 80


def _service_address(call: Call, service: Object, port: str) -> str:
    ports, name = parts(service, "spec", "ports"), str(service["metadata"]["name"])
    found = [p for p in ports if port in (str(p.get("port")), p.get("name"))] if port else ports
    if not found:
        raise Unavailable(f'no service port "{port}" found for service "{name}"')
    try:
        host, number = resolve(call.api.store, Service(call.namespace, name, int(found[0]["port"])))
    except NoEndpoint as error:
        raise Unavailable(str(error)) from error
    return f"{host}:{number}"
