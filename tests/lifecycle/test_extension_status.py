"""Extension.status: versions, recommendation, and the plan's mirror in both spellings."""

from typing import Any

import pytest

from dovetail.apis.dialects import ExtensionVersion, extension_version
from dovetail.lifecycle.constraints import Platform, recommended, refusal
from dovetail.lifecycle.extensions import status_for

HERE = Platform("v1.36.0", "4.1.3")


def version(text: str, **spec: Any) -> ExtensionVersion:
    metadata = {"name": f"greeter-{text}", "labels": {"kubesphere.io/extension-ref": "greeter"}}
    kind = {"apiVersion": "kubesphere.io/v1alpha1", "kind": "ExtensionVersion"}
    return extension_version({**kind, "metadata": metadata, "spec": {"version": text, **spec}})


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([], ""),
        ([version("0.9.0"), version("0.10.0")], "0.10.0"),
        ([version("1.0.0"), version("2.0.0", kubeVersion=">=1.40.0")], "1.0.0"),
        ([version("1.0.0"), version("2.0.0", ksVersion=">=5.0.0")], "1.0.0"),
        ([version("1.0.0"), version("2.0.0", ksVersion="nonsense")], "1.0.0"),
        ([version("1.0.0"), version("2.0.0-rc.1")], "1.0.0"),
        ([version("2.0.0-rc.1")], "2.0.0-rc.1"),
        ([version("1.0.0", minKubeVersion="1.17.0")], "1.0.0"),
        ([version("1.0.0"), version("2.0.0", deprecated=True)], "1.0.0"),
        ([version("1.0.0", deprecated=True)], "1.0.0"),
        ([version("1.0.0-rc.1"), version("2.0.0", deprecated=True)], "1.0.0-rc.1"),
        ([version("1.0.0"), version("2.0.0", channel="beta")], "1.0.0"),
    ],
)
def test_the_recommended_version_is_the_highest_that_fits(versions: list[ExtensionVersion], expected: str) -> None:
    assert recommended(versions, HERE) == expected


@pytest.mark.parametrize(
    ("channel", "expected"),
    [("", "1.0.0"), ("stable", "1.0.0"), ("rc", "2.0.0-rc.1"), ("beta", "2.1.0-beta.2"), ("alpha", "3.0.0-dev.1")],
)
def test_a_channel_lets_less_ready_versions_be_recommended(channel: str, expected: str) -> None:
    texts = ("1.0.0", "2.0.0-rc.1", "2.1.0-beta.2", "3.0.0-dev.1")
    assert recommended(map(version, texts), HERE, channel) == expected


def test_a_version_tells_its_channel_and_that_it_is_deprecated() -> None:
    status = status_for({}, [version("1.0.0-rc.1", deprecated=True), version("1.0.0")], None, HERE, 1)
    assert status["versions"][0] == {"version": "1.0.0-rc.1", "channel": "rc", "deprecated": True}
    assert status["versions"][1] == {"version": "1.0.0"}


def test_a_version_that_does_not_fit_says_why() -> None:
    assert ">=1.40.0" in refusal(version("1.0.0", kubeVersion=">=1.40.0"), HERE)
    assert refusal(version("1.0.0", kubeVersion=">=1.40.0"), Platform()) == ""
    assert refusal(version("1.0.0", kubeVersion=">=1.19.0-0"), HERE) == ""


def test_the_plan_is_mirrored_in_both_spellings() -> None:
    plan = {
        "spec": {"extension": {"name": "greeter", "version": "0.2.0"}},
        "status": {"state": "Upgrading", "version": "0.1.0", "enabled": True},
    }
    status = status_for({}, [version("0.2.0"), version("0.1.0")], plan, HERE, 3)
    assert (status["state"], status["enabled"], status["plannedInstallVersion"]) == ("Upgrading", True, "0.2.0")
    assert status["installedVersion"] == status["subscribedVersion"] == "0.1.0"
    assert status["recommendedVersion"] == status["recommendVersion"] == "0.2.0"
    assert [entry["version"] for entry in status["versions"]] == ["0.1.0", "0.2.0"]


def test_without_a_plan_the_state_is_empty() -> None:
    status = status_for({"state": "Installed"}, [version("0.1.0")], None, HERE, 1)
    assert (status["state"], status["enabled"], status["installedVersion"]) == ("", False, "")
