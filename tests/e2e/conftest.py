"""The platforms that the end-to-end tests share. A test that ends or locks a platform starts one of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.authz_matrix.callers import Tenants, make_tenants
from tests.e2e.certificates import make_certificate
from tests.e2e.demo.backend import backend
from tests.e2e.demo.platform import free_port
from tests.e2e.demo.world import World
from tests.e2e.running import SAMPLES, SecureWeb, Up, install_greeter, publish_greeter, tiny_extension, world_on


@pytest.fixture(scope="session")
def greeter_url() -> Iterator[str]:
    """The greeter's backend in a process of its own, for all platforms of the run."""
    with backend(SAMPLES / "greeter", free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def world(greeter_url: str) -> Iterator[World]:
    """A running platform with greeter 0.1.0 installed and 0.2.0 published; tests leave it as they found it."""
    platform = Up()
    try:
        world = world_on(platform)
        install_greeter(world, greeter_url)
        publish_greeter(world, "greeter-0.2.0")
        yield world
    finally:
        platform.finish()


@pytest.fixture(scope="module")
def own_world(greeter_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A platform for one module that breaks it: the greeter is installed, the tiny extension `probe` published."""
    platform = Up(options=("--workers", "2"))
    try:
        world = world_on(platform)
        install_greeter(world, greeter_url)
        world.ksbuilder("publish", world.package(tiny_extension(tmp_path_factory.mktemp("source"), "probe")))
        yield world
    finally:
        platform.finish()


@pytest.fixture(scope="session")
def secure_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running platform that serves HTTPS, without extensions."""
    certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    platform = Up(options=("--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key)))
    try:
        yield world_on(platform, SecureWeb(certificate))
    finally:
        platform.finish()


@pytest.fixture(scope="session")
def tenants() -> Iterator[Tenants]:
    """A platform with two tenants and a caller of every kind; tests leave the eight callers as they found them."""
    platform = Up(options=("--workers", "2"))
    try:
        yield make_tenants(platform)
    finally:
        platform.finish()


@pytest.fixture
def up() -> Iterator[Up]:
    """A platform that is not started yet, on data of its own."""
    platform = Up()
    try:
        yield platform
    finally:
        platform.finish()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Where a test writes the sources of its extensions."""
    return tmp_path / "sources"
