"""Faults of pods, volumes, nodes and admission: named first, with the workload and the route as symptoms."""

from tests.conftest import KubeApi
from tests.lifecycle.doctor.cluster_faults import FAULTS, NAME, end_node, install
from tests.lifecycle.doctor.rig import AT_ONCE, first, platform, shown, unsafe_words


async def test_every_fault_of_the_cluster_is_named_first(platform_crds: KubeApi) -> None:
    wrong: list[str] = []
    async with platform(platform_crds) as rig:
        pods = await install(rig)
        for name, (expected, inject) in FAULTS.items():
            await inject(pods)
            diagnosis = await rig.diagnosis(NAME, AT_ONCE)
            symptoms = {one.cause.code for one in diagnosis.roots[0].symptoms} if diagnosis.roots else set[str]()
            missing = {"WorkloadNotReady", "NoEndpoints"} - symptoms
            if first(diagnosis) != expected or missing or unsafe_words(diagnosis):
                wrong.append(f"{name}: expected {expected}, got {first(diagnosis)}\n{shown(diagnosis)}")
            await pods.clear()
            await end_node(pods)
    assert not wrong, "\n".join(wrong)
