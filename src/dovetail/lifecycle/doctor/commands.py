"""The commands that fixes and reports name: exact, and ready to be pasted, whatever names and texts they are made of.

Kinds of the platform carry their group: other software on the cluster has InstallPlans and Subscriptions, too.
"""

from shlex import quote
from typing import Final

from dovetail.lifecycle.doctor.findings import Ref
from dovetail.lifecycle.interrupts import RETRY

_OURS: Final = {
    **dict.fromkeys(("APIService", "ReverseProxy", "JSBundle", "ExtensionEntry"), "extensions.kubesphere.io"),
    **dict.fromkeys(
        ("InstallPlan", "Repository", "Extension", "ExtensionVersion", "Subscription", "Category"), "kubesphere.io"
    ),
}


def typed(kind: str) -> str:
    """A kind as kubectl takes it."""
    return f"{kind}.{_OURS[kind]}".lower() if kind in _OURS else kind.lower()


def again(of: Ref) -> str:
    """Ask the controllers for another attempt."""
    return f'kubectl annotate {typed(of.kind)} {quote(of.name)} --overwrite {RETRY}="$(date +%s)"'


def show(of: Ref, how: str = "describe") -> str:
    """`kubectl describe` of an object."""
    place = f" -n {quote(of.namespace)}" if of.namespace else ""
    return f"kubectl{place} {how} {quote(typed(of.kind))} {quote(of.name)}"


def edit(of: Ref) -> str:
    return show(of, "edit")


def logs(pod: Ref, container: str, *, previous: bool = False) -> str:
    whose = f"{quote(pod.name)} -c {quote(container)}{' --previous' if previous else ''}"
    return f"kubectl -n {quote(pod.namespace)} logs {whose} --tail=50"


def patch_plan(name: str, patch: str) -> str:
    return f"kubectl patch {typed('InstallPlan')} {quote(name)} --type merge -p '{patch}'"
