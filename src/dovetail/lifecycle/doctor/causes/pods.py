"""Pods: why one does not run, or does not stay."""

import re
from collections.abc import Iterator
from typing import Final

from dovetail.kube import annotations_of, finalizers_of, is_deleting, owners_of
from dovetail.lifecycle.doctor.causes import pod_words as told
from dovetail.lifecycle.doctor.commands import logs, show
from dovetail.lifecycle.doctor.findings import Cause, Finding, Ref, evidence
from dovetail.lifecycle.doctor.picture import (
    Object,
    Picture,
    condition_of,
    containers_of,
    event_text,
    items,
    last,
    nothing,
    ref_of,
)
from dovetail.lifecycle.objects import mapping, spec_of, status_of

_PULLS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"})
_LOGIN: Final = re.compile(r"unauthorized|authentication|denied|forbidden|no basic auth|401|403", re.I)
_ABSENT: Final = re.compile(r"not found|manifest unknown|404|does not exist", re.I)
_ARCHITECTURE: Final = re.compile(r"no match for platform|exec format error", re.I)
_NOT_THERE: Final = re.compile(
    r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found|couldn\'t find key (?P<key>\S+) in '
    r"(?P<of>\w+) (?P<at>\S+)", re.I,
)  # fmt: skip
_PROBES: Final = {"Readiness": told.READINESS, "Liveness": told.LIVENESS, "Startup": told.STARTUP}


def look(picture: Picture) -> Iterator[Finding]:
    for pod in picture.all("pods"):
        phase = status_of(pod).get("phase")
        if is_deleting(pod):
            yield from _held(picture, pod)
        elif phase == "Failed":
            yield from _ended(picture, pod)
        elif phase != "Succeeded":
            found = list(_container_findings(picture, pod))
            yield from found or _not_placed(picture, pod) or _mounts(picture, pod) or _unready(picture, pod)


def _container_findings(picture: Picture, pod: Object) -> Iterator[Finding]:
    for container in containers_of(pod):
        waiting = mapping(mapping(container.get("state")).get("waiting"))
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        if reason in _PULLS or reason == "InvalidImageName":
            yield _pull(picture, pod, container, reason, message)
        elif reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            yield _start(pod, container, reason, message)
        elif reason == "CrashLoopBackOff" or _has_crashed(container):
            yield _crash(picture, pod, container)


def _has_crashed(container: Object) -> bool:
    ended = mapping(mapping(container.get("state")).get("terminated"))
    return bool(ended) and ended.get("exitCode") not in (0, None)


def _pull(picture: Picture, pod: Object, container: Object, reason: str, message: str) -> Finding:
    ref, image = ref_of(pod), str(container.get("image") or "?")
    event = last(picture.events_about(ref), "Failed", like=lambda text: "pull" in text.lower())
    said = f"{message} {event_text(event) if event else ''}".strip()
    cause = (
        told.IMAGE_NAME if reason == "InvalidImageName"
        else told.IMAGE_ARCHITECTURE if _ARCHITECTURE.search(said)
        else told.IMAGE_LOGIN if _LOGIN.search(said) and not re.search("manifest unknown", said)
        else told.IMAGE_ABSENT if _ABSENT.search(said)
        else told.IMAGE_REGISTRY
    )  # fmt: skip
    proof = evidence(f"{ref}, container {container.get('name')}", f"{reason}: {said}")
    return Finding(cause, ref, (proof,), {"image": image, "why": said or reason}, commands=(show(ref),))


def _start(pod: Object, container: Object, reason: str, message: str) -> Finding:
    ref, name = ref_of(pod), str(container.get("name"))
    proof = evidence(f"{ref}, container {name}", f"{reason}: {message}")
    if match := _NOT_THERE.search(message):
        missing = _missing(match, ref.namespace)
        return Finding(told.REFERENCE_MISSING, missing, (proof,), {"why": message}, (ref,), (show(ref),))
    cause = told.CONTAINER_START if reason != "CreateContainerConfigError" else told.CONTAINER_CONFIG
    return Finding(cause, ref, (proof,), {"container": name, "why": message or reason}, commands=(show(ref),))


def _missing(match: "re.Match[str]", namespace: str) -> Ref:
    kinds = {"secret": "Secret", "configmap": "ConfigMap"}
    if match["name"]:
        return Ref(kinds[match["kind"].lower()], match["name"], namespace)
    return Ref(kinds.get(match["of"].lower(), match["of"]), match["at"].rpartition("/")[2], namespace)


def _crash(picture: Picture, pod: Object, container: Object) -> Finding:
    ref, name = ref_of(pod), str(container.get("name"))
    states = [mapping(mapping(container.get(at)).get("terminated")) for at in ("lastState", "state")]
    ended = next((each for each in states if each), nothing())
    code, why = str(ended.get("exitCode", "?")), str(ended.get("reason") or "")
    said = f"exit code {code}, {why}. {ended.get('message') or ''}"
    killed = last(picture.events_about(ref), "Killing", "Unhealthy", like=lambda text: "iveness probe" in text)
    if why == "OOMKilled":
        cause = told.OUT_OF_MEMORY
    elif killed is not None:
        cause, said = told.LIVENESS, f"{said} {event_text(killed)}"
    else:
        cause = told.IMAGE_ARCHITECTURE if _ARCHITECTURE.search(said) else told.CRASH
    proof = evidence(f"{ref}, container {name}", f"{container.get('restartCount', 0)} restarts; {said}")
    details = {"container": name, "code": code, "why": said, "image": str(container.get("image") or "?")}
    return Finding(cause, ref, (proof,), details, commands=(logs(ref, name, previous=True), show(ref)))


def _not_placed(picture: Picture, pod: Object) -> list[Finding]:
    scheduled = condition_of(pod, "PodScheduled")
    ref = ref_of(pod)
    if scheduled.get("status") != "False" or spec_of(pod).get("nodeName"):
        return []
    event = last(picture.events_about(ref), "FailedScheduling")
    why = str(scheduled.get("message") or (event_text(event) if event else ""))
    proof = evidence(f"{ref}, condition PodScheduled", f"{scheduled.get('reason')}: {why}")
    cause = _placing(why)
    return [Finding(cause, ref, (proof,), {"why": why}, commands=(show(ref), "kubectl describe nodes"))]


def _placing(why: str) -> Cause:
    """The scheduler counts nodes by reason; the reason of most nodes is the one to mend."""
    for pattern, cause in (
        (r"persistentvolumeclaim|unbound immediate", told.CLAIM_WAITS),
        (r"Insufficient|Too many pods", told.NO_ROOM),
        (r"didn't match.*(?:selector|affinity)|node affinity", told.NO_MATCHING_NODE),
        (r"untolerated taint|had taint", told.TAINTS),
    ):  # fmt: skip
        if re.search(pattern, why):
            return cause
    return told.UNSCHEDULABLE


def _mounts(picture: Picture, pod: Object) -> list[Finding]:
    ref = ref_of(pod)
    if condition_of(pod, "Ready").get("status") == "True":
        return []
    event = last(picture.events_about(ref), "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
    if event is None:
        return []
    text, reason = event_text(event), str(event.get("reason"))
    proof = evidence(f"Event {reason} about {ref}", text)
    if match := _NOT_THERE.search(text):
        missing = _missing(match, ref.namespace)
        return [Finding(told.REFERENCE_MISSING, missing, (proof,), {"why": text}, (ref,), (show(ref),))]
    cause = told.SANDBOX if reason == "FailedCreatePodSandBox" else told.MOUNT
    return [Finding(cause, ref, (proof,), {"why": text}, commands=(show(ref),))]


def _unready(picture: Picture, pod: Object) -> list[Finding]:
    ref = ref_of(pod)
    if condition_of(pod, "Ready").get("status") != "False" or picture.is_new(pod):
        return []  # a probe that fails while a container comes up is what it is for
    event = last(picture.events_about(ref), "Unhealthy")
    if event is None:
        return []
    text = event_text(event)
    kind = text.partition(" ")[0]
    container = next((each for each in containers_of(pod) if not each.get("ready")), nothing())
    name = str(container.get("name") or next((str(c.get("name")) for c in items(spec_of(pod), "containers")), ""))
    proof = evidence(f"Event Unhealthy about {ref}", text)
    cause = _PROBES.get(kind, told.READINESS)
    return [Finding(cause, ref, (proof,), {"container": name, "why": text}, commands=(logs(ref, name), show(ref)))]


def _ended(picture: Picture, pod: Object) -> Iterator[Finding]:
    ref, status = ref_of(pod), status_of(pod)
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if reason == "Evicted" and not _is_replaced(picture, pod):
        proof = evidence(f"{ref}, status", f"Evicted: {message}")
        yield Finding(told.EVICTED, ref, (proof,), {"why": message}, commands=(show(ref),))
        return
    for container in containers_of(pod):
        if _has_crashed(container) and "helm.sh/hook" in annotations_of(pod):
            yield _crash(picture, pod, container)


def _is_replaced(picture: Picture, pod: Object) -> bool:
    """Whether another pod of the same owner is ready: what was evicted before is then only litter."""
    owners = {owner.get("uid") for owner in owners_of(pod)}
    return any(
        condition_of(other, "Ready").get("status") == "True"
        and owners & {owner.get("uid") for owner in owners_of(other)}
        for other in picture.all("pods")
    )


def _held(picture: Picture, pod: Object) -> Iterator[Finding]:
    names = finalizers_of(pod)
    if names and str(mapping(pod.get("metadata")).get("deletionTimestamp")) < picture.now:
        proof = evidence(ref_of(pod), f"it is being deleted; metadata.finalizers: {', '.join(names)}")
        details = {"finalizers": ", ".join(names)}
        yield Finding(told.POD_HELD, ref_of(pod), (proof,), details, commands=(show(ref_of(pod)),))
