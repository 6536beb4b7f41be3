"""A claim's spec is fixed once it is made, but for what binding and growing need."""

from typing import Any

import pytest

from dovetail.embedded.apiserver.objects.volumes import claim_errors

FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def claim(phase: str = "Pending", size: str = "1Gi", reached: str = "1Gi", **spec: Any) -> dict[str, Any]:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"spec": whole, "status": {"phase": phase, "capacity": {"storage": reached}}}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [f"{error.field}: {error.detail}" for error in claim_errors(after, before)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (claim(), claim(volumeName="v")),
        (claim(), claim(storageClassName="fast")),
        (claim("Bound"), claim("Bound", "2Gi")),
        (claim("Bound", "3Gi", "1Gi"), claim("Bound", "2Gi", "1Gi")),
        (claim("Bound"), claim("Bound", volumeAttributesClassName="gold")),
        (claim(), claim(volumeAttributesClassName="gold")),
    ],
)
def test_what_may_change(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert told(before, after) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (claim(), claim(size="2Gi")),
        (claim(), claim(accessModes=["ReadOnlyMany"])),
        (claim(volumeName="v"), claim(volumeName="w")),
        (claim(storageClassName="fast"), claim(storageClassName="slow")),
        (claim("Bound"), claim("Bound", selector={"matchLabels": {"a": "b"}})),
    ],
)
def test_what_may_not(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert told(before, after) == [f"spec: {FIXED}"]


def test_a_claim_shrinks_only_to_what_it_has_not_got_yet() -> None:
    (said,) = told(claim("Bound", "3Gi", "2Gi"), claim("Bound", "2Gi", "2Gi"))
    assert said == "spec.resources.requests.storage: field can not be less than status.capacity"
