"""The examples of docs/lifecycle.md are taken by a real API and read without mistakes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.apis.dialects import install_plan
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from tests.conftest import KubeApi

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: ",".join(example["spec"]))
async def test_an_example_is_accepted_and_read(platform_crds: KubeApi, example: dict[str, Any]) -> None:
    assert install_plan(example).extension == "greeter"
    async with platform_crds.client() as client:
        taken = await client.create(INSTALLPLANS, example, dry_run=True)
    assert _lost(example["spec"], taken["spec"], "spec") == []


def _lost(given: object, taken: object, path: str) -> list[str]:
    """What of the given is not in what was taken: a misspelt field would be pruned."""
    if isinstance(given, dict) and isinstance(taken, dict):
        return [lost for name, value in given.items() for lost in _lost(value, taken.get(name), f"{path}.{name}")]
    return [] if given == taken else [path]
