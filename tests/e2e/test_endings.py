"""However a platform ends, it ends whole, and its data can be started again."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from tests.e2e.demo.platform import BIN, run
from tests.e2e.demo.web import Web
from tests.e2e.demo.world import World, expect_status, wait
from tests.e2e.running import (
    GREETINGS,
    LIFELINE_SECONDS,
    Up,
    alive,
    comes_and_goes,
    greeter_works,
    install_greeter,
    kubeconfig_text,
    logs_in,
    processes_of,
    tiny_extension,
    world_on,
)

pytestmark = pytest.mark.e2e


def wait_nothing_left(platform: Up, pids: set[int]) -> None:
    wait(
        lambda: not any(alive(pid) for pid in pids) and not processes_of(platform.directory),
        "everything to end",
        seconds=LIFELINE_SECONDS,
        also=lambda: str(processes_of(platform.directory)),
    )


def test_children_go_with_a_killed_supervisor_and_the_data_lives_on(up: Up, greeter_url: str, sources) -> None:
    world = world_on(up)
    install_greeter(world, greeter_url)
    kubeconfig = up.kubeconfig
    assert "controller-manager/0" in up.pids(), "the Helm worker should be there to be left behind"

    wait_nothing_left(up, up.kill_supervisor())

    old_token = world.tokens["admin"]
    up.start(world.web)
    assert up.facts["password"] is None
    assert up.kubeconfig == kubeconfig
    wait(lambda: greeter_works(world), "the greeter to work", also=up.tail)
    assert world.web.get(world.url + GREETINGS, token=old_token).code == 200, "a restart should log nobody out"
    world.log_in("admin", up.password)
    world.ksbuilder("publish", world.package(tiny_extension(sources, "probe")))
    comes_and_goes(world, "probe")


def test_what_is_announced_as_up_is_in_force(up: Up) -> None:
    """The first log-in of a fresh platform is good at once: every process knows the new kinds, roles and users."""
    world = world_on(up)
    took = wait(lambda: world.get("/api/v1/namespaces", "admin").code == 200, "the administrator's rights", every=0.01)
    assert took < 1, f"the administrator had no rights for {took:.1f} s"


def test_what_was_asked_just_before_a_stop_is_in_the_audit(up: Up) -> None:
    world = world_on(up)
    for number in range(20):
        world.get(f"/api/v1/namespaces?number={number}", "admin")
    up.stop()

    recorded = (up.data / "audit" / "audit.log").read_text()
    assert all(f'?number={number}"' in recorded for number in range(20))


def test_a_later_start_says_how_to_reset_the_password_and_that_ends_the_sessions(up: Up) -> None:
    world = world_on(up)
    old_token, old_password = world.tokens["admin"], up.password
    up.stop()

    text = start_for_people(up)
    assert old_password not in text
    command = f"dovetail reset-password --kubeconfig {up.kubeconfig}"
    assert command in text
    try:
        said = run(BIN / "dovetail", *command.split()[1:])
        password = said.strip().rpartition(" ")[2]
        wait(lambda: logs_in(world, "admin", password), "the new password to work")
        expect_status(world.web.get(world.url + "/api/v1/namespaces", token=old_token), 401, "Unauthorized")
        assert not logs_in(world, "admin", old_password)
        assert password not in (up.data / "logs" / "gateway-control.log").read_text()
    finally:
        assert up.process is not None
        up.process.send_signal(signal.SIGTERM)
        assert up.ended() == 0


def start_for_people(up: Up) -> str:
    """`dovetail up` as people start it; what it printed once it is up."""
    command = [str(BIN / "dovetail"), "up", "--data-dir", str(up.data), "--port", str(up.port)]
    command += ["--kube-port", str(up.kube_port)]
    up.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert up.process.stdout is not None
    lines: list[str] = []
    for line in up.process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    text = "".join(lines)
    assert "Dovetail is up" in text, text
    assert up.url in text
    return text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("stage", ["first process", "cluster is up"])
def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(up: Up, number: int, stage: str) -> None:
    process = up.launch()
    wait(lambda: has_reached(up, stage), stage, also=up.tail, every=0.005)
    os.kill(process.pid, number)
    assert up.ended() == (-signal.SIGKILL if number == signal.SIGKILL else 0), up.tail()
    wait_nothing_left(up, set())

    if stage == "cluster is up":
        up.start(web := Web())
        if up.facts["password"] is None:  # made by the first start, which could not say it any more
            up.password = run(BIN / "dovetail", "reset-password", "--kubeconfig", up.kubeconfig).split()[-1]
        wait(lambda: logs_in(World(platform=up, web=web), "admin", up.password), "the log-in", also=up.tail)


def has_reached(up: Up, stage: str) -> bool:
    """Whether the start is that far, by the file that says what runs."""
    state = up.data / "run" / "platform.json"
    return state.exists() and (stage == "first process" or "kube" in json.loads(state.read_text())["pids"])


def test_a_signal_during_a_start_that_hangs_is_obeyed_at_once(up: Up, tmp_path) -> None:
    """A cluster that accepts connections and never answers must not hold Ctrl-C up."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        config = tmp_path / "kubeconfig"
        config.write_text(kubeconfig_text(f"http://127.0.0.1:{mute.getsockname()[1]}", "t"))
        up.options = ("--kubeconfig", str(config))
        process = up.launch()
        time.sleep(1.5)
        assert process.poll() is None
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert up.ended() == 0
        assert time.monotonic() - begun < 12
    wait_nothing_left(up, set())
