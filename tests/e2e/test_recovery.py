"""Any process may be killed at any time: the supervisor starts it again and the platform goes on."""

import os
import signal
import threading
import time

import pytest

from tests.e2e.demo.world import World, wait
from tests.e2e.running import (
    BUNDLE,
    GREETINGS,
    Up,
    alive,
    answers,
    comes_and_goes,
    greeter_works,
    logs_in,
    uninstall,
    up_of,
)

pytestmark = pytest.mark.e2e

CHILDREN = ["kube", "gateway-control", "gateway-worker-0", "console", "controller-manager", "controller-manager/0"]


def wait_restarted(platform: Up, name: str, old: int) -> None:
    wait(
        lambda: platform.pids().get(name, old) != old and alive(platform.pids()[name]),
        f"{name} to be started again",
        also=lambda: f"{platform.pids()}\n{platform.tail()}",
    )


def wait_recovered(world: World) -> None:
    platform = up_of(world)
    wait(lambda: logs_in(world, "admin", platform.password), "the log-in to work", also=platform.tail)
    wait(lambda: greeter_works(world), "the greeter to work", also=platform.tail)


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_process_comes_back_and_the_platform_recovers(own_world: World, name: str) -> None:
    platform = up_of(own_world)
    if "/" in name:
        comes_and_goes(own_world, "probe")  # the Helm worker runs on demand
    old = platform.kill(name)
    if "/" not in name:
        wait_restarted(platform, name, old)

    wait_recovered(own_world)
    comes_and_goes(own_world, "probe")

    assert not alive(old)
    assert own_world.plan_status("greeter")["state"] == "Installed"


def test_workers_serve_on_while_control_is_dead(own_world: World) -> None:
    platform = up_of(own_world)
    own_world.log_in("admin", platform.password)  # a token that no worker has seen
    served = 0
    for _ in range(3):  # each start takes its time: long enough to see many answers without control
        old = platform.kill("gateway-control")
        while platform.pids().get("gateway-control", old) == old:
            assert own_world.get(GREETINGS, "admin").code == 200
            assert own_world.get(BUNDLE).code == 200
            served += 1
        assert served > 0
    wait_recovered(own_world)


def test_a_worker_killed_in_the_middle_of_a_load_costs_only_its_own_connections(own_world: World) -> None:
    platform = up_of(own_world)
    old = platform.kill("gateway-worker-0")
    deadline = time.monotonic() + 20
    failed = 0
    while platform.pids().get("gateway-worker-0", old) == old and time.monotonic() < deadline:
        failed += not answers(lambda: own_world.get(GREETINGS, "admin"))
    assert failed <= 1, f"{failed} requests failed although another worker was there"


def test_a_worker_that_is_told_to_stop_loses_no_request(own_world: World) -> None:
    platform = up_of(own_world)
    served, failed, over = [0], list[str](), threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                code = own_world.get(GREETINGS, "admin").code
                served[0] += 1
            except OSError as error:
                failed.append(repr(error))
            else:
                if code != 200:
                    failed.append(str(code))

    own_world.log_in("admin", platform.password)
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for name in ("gateway-worker-0", "gateway-worker-1"):
            old, before = platform.pids()[name], served[0]
            os.kill(old, signal.SIGTERM)
            wait_restarted(platform, name, old)
            wait(lambda before=before: served[0] > before + 20, "requests to be served", also=platform.tail)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_the_helm_worker_killed_during_an_installation_delays_it_only(own_world: World) -> None:
    platform = up_of(own_world)
    comes_and_goes(own_world, "probe")
    own_world.plan("probe", "1.0.0")
    platform.kill("controller-manager/0")
    own_world.wait_installed("probe", "1.0.0")
    uninstall(own_world, "probe")


def test_the_controllers_killed_during_an_installation_delay_it_only(own_world: World) -> None:
    platform = up_of(own_world)
    own_world.plan("probe", "1.0.0")
    old = platform.kill("controller-manager")
    wait_restarted(platform, "controller-manager", old)
    own_world.wait_installed("probe", "1.0.0")
    uninstall(own_world, "probe")


def test_readiness_goes_with_control_and_with_the_cluster_and_comes_back(own_world: World) -> None:
    platform = up_of(own_world)

    def ready() -> bool:
        return answers(lambda: own_world.get("/readyz"))

    wait(ready, "the gateway to be ready")
    kube = platform.pids()["kube"]
    os.kill(kube, signal.SIGSTOP)
    try:
        wait(lambda: b"[-]cluster failed" in own_world.get("/readyz?verbose").body, "the silent cluster to be noticed")
        assert own_world.get("/readyz?exclude=cluster").code == 200
        assert own_world.get("/livez").code == 200
    finally:
        os.kill(kube, signal.SIGCONT)
    wait(ready, "the gateway to be ready again")

    control = platform.pids()["gateway-control"]
    os.kill(control, signal.SIGSTOP)  # killed, it would be back before we could look
    os.kill(control, signal.SIGKILL)
    wait(lambda: own_world.get("/readyz").code == 502, "readiness to go with control")
    wait_restarted(platform, "gateway-control", control)
    wait(ready, "readiness to come back with control")
