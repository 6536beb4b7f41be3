"""Faults of the lifecycle on a real platform: the first cause told is the right one, every time."""

import pytest

from tests.conftest import KubeApi
from tests.lifecycle.doctor.lifecycle_faults import FAULTS
from tests.lifecycle.doctor.rig import all_at_once, platform, wrong

PARTS = 2
"""So that neither comes near a test's limit on a machine that others use, too."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", range(PARTS))
async def test_every_fault_of_the_lifecycle_is_named_first(platform_crds: KubeApi, part: int) -> None:
    async with platform(platform_crds, hook_timeout=20) as rig:
        found = await all_at_once(rig, FAULTS[part::PARTS])
    assert not (report := wrong(found)), report
