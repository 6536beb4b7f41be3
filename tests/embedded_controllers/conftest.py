"""The same settings as the tests of `kube`; see there."""

from tests.kube.conftest import *  # noqa: F403
