"""The commands that fixes and reports name: exact, and made of names that Kubernetes has admitted."""

from dovetail.lifecycle.doctor.findings import Ref
from dovetail.lifecycle.interrupts import RETRY


def again(of: Ref) -> str:
    """Ask the controllers for another attempt."""
    return f'kubectl annotate {of.kind.lower()}.kubesphere.io {of.name} --overwrite {RETRY}="$(date +%s)"'


def show(of: Ref, how: str = "describe") -> str:
    """`kubectl describe` of an object."""
    kind = of.kind.lower()
    return f"kubectl{f' -n {of.namespace}' if of.namespace else ''} {how} {kind} {of.name}"


def edit(of: Ref) -> str:
    return show(of, "edit")


def logs(pod: Ref, container: str, *, previous: bool = False) -> str:
    return f"kubectl -n {pod.namespace} logs {pod.name} -c {container}{' --previous' if previous else ''} --tail=50"


def patch_plan(name: str, patch: str) -> str:
    return f"kubectl patch installplan {name} --type merge -p '{patch}'"
