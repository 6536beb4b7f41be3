"""What a request may ask for besides its object: query parameters and delete options. Pure."""

from typing import Literal

from dovetail.kube.resources import Object

Propagation = Literal["Background", "Foreground", "Orphan"]
"""What becomes of the dependents of a deleted object."""


def selectors(label_selector: str, field_selector: str) -> dict[str, str]:
    """Which objects of a collection."""
    query: dict[str, str] = {}
    if label_selector:
        query["labelSelector"] = label_selector
    if field_selector:
        query["fieldSelector"] = field_selector
    return query


def write_options(dry_run: bool, field_manager: str | None) -> dict[str, str]:
    """How to write: only pretending, and as whom in managedFields."""
    query: dict[str, str] = {}
    if dry_run:
        query["dryRun"] = "All"
    if field_manager:
        query["fieldManager"] = field_manager
    return query


def delete_options(
    propagation: Propagation | None, uid: str | None, resource_version: str | None, grace_period: int | None
) -> Object:
    """A meta.k8s.io/v1 DeleteOptions; uid and resource_version are preconditions, the grace period is in seconds."""
    options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
    preconditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
    if propagation:
        options["propagationPolicy"] = propagation
    if preconditions:
        options["preconditions"] = preconditions
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    return options
